package engine

import _ "github.com/hybridgroup/yzma/pkg/llama"
