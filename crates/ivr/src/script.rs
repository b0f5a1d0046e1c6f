//! The conversation of an order line: ask for a code, look it up, say what came of it.

use std::time::Duration;

use crate::{Code, Decision, Input, Output, Prompt, Settings, Timer, Verdict};

/// After a lone `1` to the redial offer this much silence means "call back", not the start of a code.
const REDIAL_PAUSE: Duration = Duration::from_secs(2);

/// One conversation with one caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    settings: Settings,
    memory: Memory,
    state: State,
}

/// What is remembered through the whole conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Memory {
    /// A lone `1` means redial.
    redial: bool,
    /// The hint was given, or its moment has passed.
    hinted: bool,
    /// The caller was already asked again.
    repeated: bool,
    /// Codes looked up and not found.
    wrong: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// A prompt plays and nothing is keyed.
    Saying,
    /// Silence: the caller's turn.
    Waiting,
    /// Some digits are keyed.
    Keying(Code),
    /// The code is being looked up.
    Finding,
    /// Only `#` counts. The prompt plays, or has ended and the clock runs.
    TurnedAway,
    /// A goodbye plays.
    Leaving(Decision),
    /// Nothing more will be said.
    Over,
}

impl Script {
    /// Begins: the first prompt goes out. `redial` offers to call back whoever called last.
    #[must_use]
    pub fn start(settings: Settings, redial: bool, out: &mut Vec<Output>) -> Self {
        out.push(Output::Play(if redial { Prompt::Redial } else { Prompt::Start }));
        let memory = Memory { redial, hinted: !settings.operator, repeated: false, wrong: 0 };
        Self { settings, memory, state: State::Saying }
    }

    /// Hears one thing and says what follows.
    #[must_use]
    pub fn handle(mut self, input: Input, out: &mut Vec<Output>) -> Self {
        self.state = match self.state.clone() {
            State::Saying => self.saying(input, out),
            State::Waiting => self.waiting(input, out),
            State::Keying(code) => self.keying(code, input, out),
            State::Finding => self.finding(input, out),
            State::TurnedAway => self.turned_away(input, out),
            State::Leaving(decision) => leaving(decision, input, out),
            State::Over => State::Over,
        };
        self
    }

    fn saying(&mut self, input: Input, out: &mut Vec<Output>) -> State {
        match input {
            Input::Digit('#') if self.settings.operator => {
                out.extend([Output::Stop, Output::Decided(Decision::Operator)]);
                State::Over
            }
            Input::Digit(digit @ '0'..='9') => {
                out.push(Output::Stop);
                self.key(Code::empty(), digit, out)
            }
            Input::Finished => {
                if !self.memory.hinted {
                    out.push(Output::Arm(Timer::Hint, self.settings.hint_after));
                }
                out.push(Output::Arm(Timer::Input, self.settings.input_timeout));
                State::Waiting
            }
            Input::Digit(_) | Input::Found(_) | Input::Fired(_) => State::Saying,
        }
    }

    fn waiting(&mut self, input: Input, out: &mut Vec<Output>) -> State {
        match input {
            Input::Digit('#') if self.settings.operator => {
                self.disarm(out);
                out.push(Output::Decided(Decision::Operator));
                State::Over
            }
            Input::Digit(digit @ '0'..='9') => {
                self.disarm(out);
                self.key(Code::empty(), digit, out)
            }
            Input::Fired(Timer::Hint) => {
                self.memory.hinted = true;
                out.extend([Output::Disarm(Timer::Input), Output::Play(Prompt::OperatorHint)]);
                State::Saying
            }
            Input::Fired(Timer::Input) => {
                self.disarm(out);
                self.nothing_keyed(out)
            }
            Input::Digit(_) | Input::Finished | Input::Found(_) => State::Waiting,
        }
    }

    fn nothing_keyed(&mut self, out: &mut Vec<Output>) -> State {
        if !self.memory.repeated {
            self.memory.repeated = true;
            out.push(Output::Play(Prompt::Repeat));
            return State::Saying;
        }
        let (prompt, decision) = if self.memory.wrong > 0 {
            (Prompt::GoodbyeNothingChosen, Decision::NothingChosen)
        } else {
            (Prompt::GoodbyeNoInput, Decision::NoInput)
        };
        out.push(Output::Play(prompt));
        State::Leaving(decision)
    }

    fn keying(&mut self, code: Code, input: Input, out: &mut Vec<Output>) -> State {
        match input {
            Input::Digit('#') if self.settings.operator => {
                out.extend([Output::Disarm(Timer::Input), Output::Decided(Decision::Operator)]);
                State::Over
            }
            Input::Digit('*') => {
                out.push(Output::Arm(Timer::Input, self.settings.input_timeout));
                State::Waiting
            }
            Input::Digit(digit @ '0'..='9') => self.key(code, digit, out),
            Input::Fired(Timer::Input) if self.is_redial(code) => {
                out.push(Output::Decided(Decision::Redial));
                State::Over
            }
            Input::Fired(Timer::Input) => {
                out.push(Output::Find(code));
                State::Finding
            }
            Input::Digit(_) | Input::Finished | Input::Found(_) | Input::Fired(Timer::Hint) => {
                State::Keying(code)
            }
        }
    }

    /// One digit more. A full code is looked up at once.
    fn key(&mut self, code: Code, digit: char, out: &mut Vec<Output>) -> State {
        self.memory.hinted = true;
        let code = code.with(digit);
        if code.count() >= self.settings.code_length {
            out.extend([Output::Disarm(Timer::Input), Output::Find(code)]);
            return State::Finding;
        }
        let patience = if self.is_redial(code) { REDIAL_PAUSE } else { self.settings.input_timeout };
        out.push(Output::Arm(Timer::Input, patience));
        State::Keying(code)
    }

    fn is_redial(&self, code: Code) -> bool {
        self.memory.redial && code.as_str() == "1"
    }

    fn finding(&mut self, input: Input, out: &mut Vec<Output>) -> State {
        match input {
            Input::Found(Verdict::Party) => {
                out.push(Output::Decided(Decision::Connect));
                State::Over
            }
            Input::Found(Verdict::Stranger) => {
                out.push(Output::Play(Prompt::NumberUnknown));
                State::TurnedAway
            }
            Input::Found(Verdict::Unknown) => {
                self.memory.wrong = self.memory.wrong.saturating_add(1);
                if self.memory.wrong >= self.settings.code_attempts {
                    out.push(Output::Play(Prompt::NumberUnknown));
                    return State::TurnedAway;
                }
                out.push(Output::Play(Prompt::OrderUnknown));
                State::Saying
            }
            // Many key `#` out of habit after a code: here it must not cost them the call.
            Input::Digit(_) | Input::Finished | Input::Fired(_) => State::Finding,
        }
    }

    fn turned_away(&mut self, input: Input, out: &mut Vec<Output>) -> State {
        match input {
            Input::Digit('#') if self.settings.operator => {
                out.extend([Output::Disarm(Timer::Input), Output::Stop, Output::Decided(Decision::Operator)]);
                State::Over
            }
            Input::Finished => {
                out.push(Output::Arm(Timer::Input, self.settings.input_timeout));
                State::TurnedAway
            }
            Input::Fired(Timer::Input) => {
                out.push(Output::Play(Prompt::GoodbyeNothingChosen));
                State::Leaving(Decision::NothingChosen)
            }
            Input::Digit(_) | Input::Found(_) | Input::Fired(Timer::Hint) => State::TurnedAway,
        }
    }

    fn disarm(&mut self, out: &mut Vec<Output>) {
        if !self.memory.hinted {
            self.memory.hinted = true;
            out.push(Output::Disarm(Timer::Hint));
        }
        out.push(Output::Disarm(Timer::Input));
    }
}

fn leaving(decision: Decision, input: Input, out: &mut Vec<Output>) -> State {
    match input {
        Input::Finished => {
            out.push(Output::Decided(decision));
            State::Over
        }
        Input::Digit(_) | Input::Found(_) | Input::Fired(_) => State::Leaving(decision),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: Duration = Duration::from_secs(8);

    fn started() -> Script {
        let mut out = Vec::new();
        let script = Script::start(Settings::default(), false, &mut out);
        assert_eq!(out, [Output::Play(Prompt::Start)]);
        script
    }

    fn hear(script: Script, inputs: impl IntoIterator<Item = Input>) -> (Script, Vec<Output>) {
        let mut out = Vec::new();
        let script = inputs.into_iter().fold(script, |script, input| script.handle(input, &mut out));
        (script, out)
    }

    fn keys(text: &str) -> Vec<Input> {
        text.chars().map(Input::Digit).collect()
    }

    fn code(text: &str) -> Output {
        Output::Find(Code::parse(text).unwrap())
    }

    #[test]
    fn the_first_digit_stops_the_prompt_and_the_fifth_is_looked_up() {
        let (script, out) = hear(started(), keys("12345"));
        assert_eq!(
            out,
            [
                Output::Stop,
                Output::Arm(Timer::Input, INPUT),
                Output::Arm(Timer::Input, INPUT),
                Output::Arm(Timer::Input, INPUT),
                Output::Arm(Timer::Input, INPUT),
                Output::Disarm(Timer::Input),
                code("12345"),
            ]
        );
        let (_, out) = hear(script, [Input::Found(Verdict::Party)]);
        assert_eq!(out, [Output::Decided(Decision::Connect)]);
    }

    #[test]
    fn the_hint_is_given_once_and_only_after_the_first_prompt() {
        let (script, out) = hear(started(), [Input::Finished, Input::Fired(Timer::Hint), Input::Finished]);
        assert_eq!(
            out,
            [
                Output::Arm(Timer::Hint, Duration::from_millis(1500)),
                Output::Arm(Timer::Input, INPUT),
                Output::Disarm(Timer::Input),
                Output::Play(Prompt::OperatorHint),
                Output::Arm(Timer::Input, INPUT),
            ]
        );
        let (_, out) = hear(script, [Input::Fired(Timer::Input), Input::Finished]);
        let again =
            [Output::Disarm(Timer::Input), Output::Play(Prompt::Repeat), Output::Arm(Timer::Input, INPUT)];
        assert_eq!(out, again);
    }

    #[test]
    fn a_line_without_an_operator_gives_no_hint_and_hash_means_nothing() {
        let mut out = Vec::new();
        let settings = Settings { operator: false, ..Settings::default() };
        let script = Script::start(settings, false, &mut out);
        let (_, out) = hear(script, [Input::Digit('#'), Input::Finished, Input::Digit('#')]);
        assert_eq!(out, [Output::Arm(Timer::Input, INPUT)]);
    }

    #[test]
    fn hash_reaches_the_operator_from_the_prompt_the_silence_and_between_digits() {
        let saying = keys("#");
        let waiting = vec![Input::Finished, Input::Digit('#')];
        let keying = keys("12#");
        for inputs in [saying, waiting, keying] {
            let (_, out) = hear(started(), inputs);
            assert_eq!(out.last(), Some(&Output::Decided(Decision::Operator)));
        }
    }

    #[test]
    fn star_clears_what_was_keyed() {
        let (_, out) = hear(started(), keys("99*12345"));
        assert_eq!(out.last(), Some(&code("12345")));
    }

    #[test]
    fn too_few_digits_are_looked_up_as_they_are() {
        let (script, mut inputs) = (started(), keys("1234"));
        inputs.push(Input::Fired(Timer::Input));
        let (script, out) = hear(script, inputs);
        assert_eq!(out.last(), Some(&code("1234")));
        let (_, out) = hear(script, [Input::Found(Verdict::Unknown)]);
        assert_eq!(out, [Output::Play(Prompt::OrderUnknown)]);
    }

    #[test]
    fn silence_is_met_with_one_repeat_then_goodbye() {
        let silence = [Input::Finished, Input::Fired(Timer::Input)];
        let (script, _) = hear(started(), silence);
        let (script, out) = hear(script, silence);
        assert_eq!(out.last(), Some(&Output::Play(Prompt::GoodbyeNoInput)));
        let (_, out) = hear(script, [Input::Digit('1'), Input::Finished]);
        assert_eq!(out, [Output::Decided(Decision::NoInput)]);
    }

    #[test]
    fn silence_after_a_wrong_code_ends_with_nothing_chosen() {
        let (script, _) = hear(started(), keys("12345"));
        let (script, _) = hear(script, [Input::Found(Verdict::Unknown)]);
        let silence = [Input::Finished, Input::Fired(Timer::Input)];
        let (script, out) = hear(script, silence);
        assert_eq!(out.last(), Some(&Output::Play(Prompt::Repeat)));
        let (_, out) = hear(script, silence);
        assert_eq!(out.last(), Some(&Output::Play(Prompt::GoodbyeNothingChosen)));
    }

    #[test]
    fn the_third_wrong_code_leaves_only_the_operator() {
        let mut script = started();
        for prompt in [Prompt::OrderUnknown, Prompt::OrderUnknown, Prompt::NumberUnknown] {
            let (next, _) = hear(script, keys("54321"));
            let (next, out) = hear(next, [Input::Found(Verdict::Unknown)]);
            assert_eq!(out, [Output::Play(prompt)]);
            script = next;
        }
        let (script, out) = hear(script, keys("12345"));
        assert_eq!(out, []);
        let (_, out) = hear(script, keys("#"));
        assert_eq!(out, [Output::Disarm(Timer::Input), Output::Stop, Output::Decided(Decision::Operator)]);
    }

    #[test]
    fn a_stranger_who_keys_nothing_is_seen_off() {
        let (script, _) = hear(started(), keys("12345"));
        let inputs = [Input::Found(Verdict::Stranger), Input::Finished, Input::Fired(Timer::Input)];
        let (script, out) = hear(script, inputs);
        assert_eq!(
            out,
            [
                Output::Play(Prompt::NumberUnknown),
                Output::Arm(Timer::Input, INPUT),
                Output::Play(Prompt::GoodbyeNothingChosen),
            ]
        );
        let (_, out) = hear(script, [Input::Finished]);
        assert_eq!(out, [Output::Decided(Decision::NothingChosen)]);
    }

    #[test]
    fn a_lone_one_takes_the_redial_offer_and_a_code_may_still_begin_with_one() {
        let start = || {
            let mut out = Vec::new();
            let script = Script::start(Settings::default(), true, &mut out);
            assert_eq!(out, [Output::Play(Prompt::Redial)]);
            script
        };
        let (_, out) = hear(start(), [Input::Digit('1'), Input::Fired(Timer::Input)]);
        assert_eq!(out.last(), Some(&Output::Decided(Decision::Redial)));
        let (_, out) = hear(start(), keys("12345"));
        assert_eq!(out.last(), Some(&code("12345")));
    }

    #[test]
    fn hash_after_a_whole_code_does_not_cost_the_caller_the_call() {
        let (script, _) = hear(started(), keys("12345#"));
        let (_, out) = hear(script, [Input::Found(Verdict::Party)]);
        assert_eq!(out, [Output::Decided(Decision::Connect)]);
    }
}
