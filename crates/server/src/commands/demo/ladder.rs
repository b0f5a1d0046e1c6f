//! The picture of a call: three columns, time runs down.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Between two lifelines, in characters.
const WIDTH: usize = 34;
/// A row waits so long for earlier ones that are told later.
pub(super) const PATIENCE: Duration = Duration::from_millis(2500);

const CALLER: &str = "36";
const BAUTA: &str = "33;1";
const CALLEE: &str = "35";
const DIM: &str = "2";
const HEAD: &str = "1";

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Caller,
    Callee,
}

impl Who {
    /// Their place among the two.
    pub(super) fn place(self) -> usize {
        match self {
            Self::Caller => 0,
            Self::Callee => 1,
        }
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row {
    /// A phone sends something to the server.
    To(Who, String),
    /// The server sends something to a phone.
    From(Who, String),
    /// A phone hears a prompt.
    Prompt(Who, String),
    /// A phone notices something by itself.
    Notes(Who, String),
    /// The server decides something.
    Decides(String),
    /// The server joins the two.
    Joins,
}

/// The rows so far.
pub(super) struct Ladder {
    began: Instant,
    colour: bool,
    waiting: Vec<(Instant, Row)>,
    /// Everything that was drawn, without colour.
    pub(super) text: String,
}

impl Ladder {
    /// Begins with what it is about, and the names and numbers everyone has.
    pub(super) fn begin(about: &str, caller: [&str; 2], line: &str, callee: [&str; 2]) -> Self {
        let mut ladder = Self {
            began: Instant::now(),
            colour: io::stdout().is_terminal(),
            waiting: Vec::new(),
            text: String::new(),
        };
        ladder.line(&[(HEAD, "")]);
        ladder.line(&[(HEAD, &format!("  {about}"))]);
        ladder.line(&[(
            DIM,
            "  A server, a trunk and two phones on loopback; real SIP and RTP, in real time.",
        )]);
        ladder.line(&[(HEAD, "")]);
        let width = WIDTH + 1;
        ladder.line(&[
            (DIM, "    ms  "),
            (CALLER, &format!("{:<width$}", caller[0].to_uppercase())),
            (BAUTA, &format!("{:<26}", "BAUTA")),
            (CALLEE, &format!("{:>10}", callee[0].to_uppercase())),
        ]);
        ladder.line(&[
            (DIM, "        "),
            (CALLER, &format!("{:<width$}", caller[1])),
            (BAUTA, &format!("{line:<22}")),
            (CALLEE, &format!("{:>14}", callee[1])),
        ]);
        ladder
    }

    /// From this moment on time is counted.
    pub(super) fn start(&mut self) {
        self.began = Instant::now();
    }

    pub(super) fn add(&mut self, at: Instant, row: Row) {
        self.waiting.push((at, row));
        self.draw(Instant::now().checked_sub(PATIENCE));
    }

    /// Draws what waits since before `until`; everything without one.
    pub(super) fn draw(&mut self, until: Option<Instant>) {
        // What happened at once stays in the order it was told in.
        self.waiting.sort_by_key(|(at, _)| *at);
        let ready = self.waiting.partition_point(|(at, _)| until.is_none_or(|until| *at <= until));
        let rows: Vec<_> = self.waiting.drain(..ready).collect();
        for (at, row) in rows {
            self.row(at.saturating_duration_since(self.began).as_millis(), &row);
        }
    }

    fn row(&mut self, ms: u128, row: &Row) {
        let time = format!("{ms:>6}  ");
        let time = time.as_str();
        match row {
            Row::To(Who::Caller, text) => {
                self.at_left(time, &[(CALLER, &right("├", text, '─')), (BAUTA, "│")]);
            }
            Row::From(Who::Caller, text) => {
                self.at_left(time, &[(CALLER, "│"), (BAUTA, &left(text, "┤", '─'))]);
            }
            Row::Prompt(Who::Caller, text) => {
                let text = format!("♪ {text}");
                self.at_left(time, &[(CALLER, "│"), (BAUTA, &left(&text, "┤", '┄'))]);
            }
            Row::Notes(Who::Caller, text) => {
                let text = format!("◆ {:<width$}", cut(text, WIDTH - 1), width = WIDTH - 1);
                self.at_left(time, &[(CALLER, &text), (BAUTA, "│")]);
            }
            Row::From(Who::Callee, text) => {
                self.at_right(time, &[(BAUTA, &right("├", text, '─')), (CALLEE, "│")]);
            }
            Row::To(Who::Callee, text) => {
                self.at_right(time, &[(BAUTA, "│"), (CALLEE, &left(text, "┤", '─'))]);
            }
            Row::Prompt(Who::Callee, text) => {
                let text = format!("♪ {text}");
                self.at_right(time, &[(BAUTA, &right("├", &text, '┄')), (CALLEE, "│")]);
            }
            Row::Notes(Who::Callee, text) => {
                let text = format!("{:>width$} ◆", cut(text, WIDTH - 1), width = WIDTH - 1);
                self.at_right(time, &[(BAUTA, "│"), (CALLEE, &text)]);
            }
            Row::Decides(text) => {
                let text = format!("◆ {:<width$}", cut(text, WIDTH - 1), width = WIDTH - 1);
                self.at_right(time, &[(BAUTA, &text), (CALLEE, "│")]);
            }
            Row::Joins => {
                let way = format!("◀{:═^width$}▶", " voice ", width = WIDTH - 2);
                let both = format!("{way}◆{way}");
                self.line(&[(DIM, time), (CALLER, "│"), (BAUTA, &both), (CALLEE, "│")]);
            }
        }
    }

    /// A row between the caller and the server.
    fn at_left(&mut self, time: &str, [one, two]: &[(&str, &str); 2]) {
        self.line(&[(DIM, time), *one, *two, (DIM, &" ".repeat(WIDTH)), (CALLEE, "│")]);
    }

    /// A row between the server and the callee.
    fn at_right(&mut self, time: &str, [one, two]: &[(&str, &str); 2]) {
        self.line(&[(DIM, time), (CALLER, "│"), (DIM, &" ".repeat(WIDTH)), *one, *two]);
    }

    /// One line, in colour where someone looks at it.
    pub(super) fn line(&mut self, pieces: &[(&str, &str)]) {
        let plain: String = pieces.iter().map(|(_, text)| *text).collect();
        let shown = if self.colour {
            pieces.iter().map(|(colour, text)| format!("\x1b[{colour}m{text}\x1b[0m")).collect()
        } else {
            plain.clone()
        };
        let mut out = io::stdout().lock();
        // A closed pipe: nobody looks any more.
        let _ = writeln!(out, "{shown}").and_then(|()| out.flush());
        self.text.push_str(plain.trim_end());
        self.text.push('\n');
    }
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// From the lifeline at its left to the one at its right.
fn right(lifeline: &str, text: &str, line: char) -> String {
    let text = cut(text, WIDTH - 5);
    let rest = WIDTH - 4 - text.chars().count();
    let shaft: String = std::iter::repeat_n(line, rest).collect();
    format!("{lifeline}{line} {text} {shaft}▶")
}

/// From the lifeline at its right to the one at its left.
fn left(text: &str, lifeline: &str, line: char) -> String {
    let text = cut(text, WIDTH - 5);
    let rest = WIDTH - 4 - text.chars().count();
    let shaft: String = std::iter::repeat_n(line, rest).collect();
    format!("◀{shaft} {text} {line}{lifeline}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_ends_at_the_same_place_and_rows_stand_in_the_order_of_time() {
        let mut ladder = Ladder::begin("a call", ["one", "+1"], "+2", ["other", "+3"]);
        ladder.text.clear();
        let long = "a text that is far longer than there is room for it in one column".to_owned();
        let start = ladder.began;
        let mut rows = vec![Row::Joins, Row::Decides(long.clone())];
        for who in [Who::Caller, Who::Callee] {
            for text in [long.clone(), "x".to_owned()] {
                let each = [Row::To, Row::From, Row::Prompt, Row::Notes];
                rows.extend(each.map(|row: fn(Who, String) -> Row| row(who, text.clone())));
            }
        }
        let count = rows.len();
        for (place, row) in (0..).zip(rows) {
            ladder.add(start + Duration::from_millis(1000 - place), row);
        }
        ladder.draw(None);
        let lines: Vec<_> = ladder.text.lines().collect();
        assert_eq!(lines.len(), count);
        assert!(lines.is_sorted(), "{}", ladder.text);
        for line in lines {
            assert_eq!(line.chars().count(), 8 + 3 + 2 * WIDTH, "{line}");
        }
    }
}
