package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/tidwall/gjson"

	"starling"
)

const (
	skillsURI   = "starling://skills"
	receiptsURI = "starling://receipts"
)

// resources adds what can be read: skills as the gateway has them in force, and receipts as
// they were signed.
func (d Door) resources(s *sdk.Server) {
	s.AddResource(&sdk.Resource{URI: skillsURI, Name: "skills", Description: "The skills that can be asked.", MIMEType: "application/json"}, d.reads(skillList))
	s.AddResourceTemplate(&sdk.ResourceTemplate{URITemplate: skillsURI + "/{name}", Name: "skill", Description: "A skill: its SKILL.md, its rubric, and how its candidates stand."}, d.reads(wholeSkill))
	s.AddResourceTemplate(&sdk.ResourceTemplate{URITemplate: receiptsURI + "/{id}", Name: "receipt", Description: "A receipt as it was signed, with its proof.", MIMEType: "application/json"}, d.reads(wholeReceipt))
}

// reads makes a resource's handler. What cannot be read is a protocol error: resources have
// no other.
func (d Door) reads(get func(context.Context, caller, string) ([]*sdk.ResourceContents, error)) sdk.ResourceHandler {
	return func(ctx context.Context, req *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		ctx, leave := attended(ctx)
		defer leave()
		contents, err := get(ctx, d.caller(req.Extra), req.Params.URI)
		switch {
		case starling.KindOf(err) == starling.NotFound:
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: err.Error()}
		case err != nil && !errors.Is(err, ctx.Err()):
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: string(starling.KindOf(err)) + ": " + err.Error()}
		case err != nil:
			return nil, err
		}
		// What one key may read is nothing to keep for others; unsaid, the protocol has it public.
		return &sdk.ReadResourceResult{Contents: contents, Cacheable: sdk.Cacheable{CacheScope: "private"}}, nil
	}
}

// named is the last part of a resource's URI.
func named(uri, under string) (string, error) {
	name, err := url.PathUnescape(strings.TrimPrefix(uri, under+"/"))
	if err != nil {
		return "", &starling.Error{Kind: starling.NotFound, Op: "mcp: the resource's name cannot be read", Err: err}
	}
	return name, nil
}

func skillList(ctx context.Context, c caller, uri string) ([]*sdk.ResourceContents, error) {
	r, err := c.ask(ctx, inquiry{method: http.MethodGet, path: "/v1/skills"})
	if err != nil {
		return nil, err
	}
	return []*sdk.ResourceContents{{URI: uri, MIMEType: "application/json", Text: string(r.body)}}, nil
}

// wholeSkill is a skill's two files, each as people read it, and the rest of what the
// gateway says of it.
func wholeSkill(ctx context.Context, c caller, uri string) ([]*sdk.ResourceContents, error) {
	name, err := named(uri, skillsURI)
	if err != nil {
		return nil, err
	}
	r, err := c.ask(ctx, inquiry{method: http.MethodGet, path: "/v1/skills/" + url.PathEscape(name)})
	if err != nil {
		return nil, err
	}
	said := map[string]json.RawMessage{}
	if err := r.into(&said); err != nil {
		return nil, err
	}
	text := func(member string) string {
		defer delete(said, member)
		return gjson.ParseBytes(said[member]).String()
	}
	contents := []*sdk.ResourceContents{
		{URI: uri + "/SKILL.md", MIMEType: "text/markdown", Text: text("skill")},
		{URI: uri + "/rubric.yaml", MIMEType: "application/yaml", Text: text("rubric")},
	}
	rest, err := json.Marshal(said)
	if err != nil {
		return nil, err
	}
	return append(contents, &sdk.ResourceContents{URI: uri, MIMEType: "application/json", Text: string(rest)}), nil
}

func wholeReceipt(ctx context.Context, c caller, uri string) ([]*sdk.ResourceContents, error) {
	id, err := named(uri, receiptsURI)
	if err != nil {
		return nil, err
	}
	r, err := c.sealed(ctx, id)
	if err != nil {
		return nil, err
	}
	return []*sdk.ResourceContents{{URI: uri, MIMEType: "application/json", Text: string(r.body)}}, nil
}
