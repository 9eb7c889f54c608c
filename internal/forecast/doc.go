// Package forecast says how likely each candidate is to pass, before anybody is
// asked: from graded outcomes of the past, the skill of a request and its
// prompt. It knows neither prices nor models, only numbered candidates.
//
// Most of what can be foreseen lies in the skill, little in the wording, and
// what wording says about one skill is wrong about the next. So a forecast is
// built in three steps, of which each has to earn its place:
//
//	mean    the share that passed in the skill, shrunk towards all skills    mean.go
//	head    logistic corrections from the words of the prompt                head.go
//	stack   how far to trust the corrections, and calibration                stack.go
//
// The stack is fitted on forecasts for rows that were held back, and where the
// head does not help there, the mean answers alone. It does so too for a skill
// that was never seen.
//
// What the head reads of a prompt is the same in capitals, with other white
// space, and with a "please"; see text.go. To follow a forecast, start reading
// at [Forecast.Odds].
package forecast
