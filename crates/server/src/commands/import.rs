//! `bauta order import`: many orders from a file, some at a time, so that progress can be shown and what stops it
//! half-way leaves the rows before it in place.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read, Write};
use std::path::Path;

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::client::{Client, Refusal, print};
use crate::cli::{Exit, Format, ImportArgs};

/// Rows sent at once: as many as the server names one by one if all are wrong.
const BATCH: usize = 200;
/// Octets sent at once at most, save a single row that is longer.
const BATCH_OCTETS: usize = 4 * 1024 * 1024;
/// Octets of one row: more than the server takes, so that it is the server that says so.
const LONGEST_ROW: u64 = 1024 * 1024;
/// Between two signs of life where they do not overwrite each other.
const QUIET_ROWS: u64 = 10_000;

/// What became of all rows.
#[derive(Debug, Default, Serialize)]
struct Total {
    created: u64,
    replaced: u64,
    failed: u64,
    errors: Vec<RowFault>,
}

/// What the server says of some rows.
#[derive(Debug, Deserialize)]
struct Summary {
    created: u64,
    replaced: u64,
    failed: u64,
    errors: Vec<RowFault>,
}

/// A row that was not taken.
#[derive(Debug, Serialize, Deserialize)]
struct RowFault {
    /// From 1, without the row of names.
    row: u64,
    /// Line of the file it begins on, from 1.
    line: u64,
    field: Option<String>,
    code: String,
    detail: String,
}

/// Some rows, ready to be sent.
#[derive(Debug)]
struct Batch {
    octets: Vec<u8>,
    /// On which line each begins.
    lines: VecDeque<u64>,
}

/// Sends a file.
pub(super) async fn run(client: &Client, args: &ImportArgs, json: bool) -> Result<Exit, Refusal> {
    let path = Path::new(&args.file);
    let unreadable = |error: io::Error| Refusal::Wrong(format!("{}: {error}", path.display()));
    let (input, size): (Box<dyn Read>, Option<u64>) = if args.file == "-" {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        (Box::new(file), Some(size))
    };
    let mut input = BufReader::with_capacity(64 * 1024, input);
    let format = args
        .format
        .or_else(|| by_name(path))
        .map_or_else(|| by_content(&mut input), Ok)
        .map_err(unreadable)?;
    let content_type = match format {
        Format::Csv => "text/csv",
        Format::Ndjson => "application/x-ndjson",
    };
    let mut rows = Rows::new(input, format).map_err(unreadable)?;
    let (mut total, mut sent) = (Total::default(), 0_u64);
    let mut progress = Progress::new(size, json);
    loop {
        let batch = rows.batch().map_err(unreadable)?;
        if batch.lines.is_empty() {
            break;
        }
        let count = batch.lines.len() as u64;
        let url = client.path(&["v1", "orders:import"]);
        let answer =
            client.ask::<Summary>(Method::POST, url, Some((content_type, batch.octets.into()))).await;
        let (_, summary) = answer.inspect_err(|_| progress.stopped(sent, batch.lines.front()))?;
        total.add(summary, sent, &batch.lines, &args.file, &mut progress);
        sent += count;
        progress.advanced(sent, rows.octets);
    }
    progress.done(sent);
    let failed = total.failed > 0;
    if json {
        print(serde_json::to_string(&total).expect("texts and numbers are JSON"))?;
    } else {
        print(format!("{} created, {} replaced, {} failed", total.created, total.replaced, total.failed))?;
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

impl Total {
    /// Adds what became of one batch: the server counts its rows from the batch's first.
    fn add(
        &mut self,
        summary: Summary,
        before: u64,
        lines: &VecDeque<u64>,
        file: &str,
        progress: &mut Progress,
    ) {
        self.created += summary.created;
        self.replaced += summary.replaced;
        self.failed += summary.failed;
        for mut fault in summary.errors {
            let place = usize::try_from(fault.row.saturating_sub(1)).unwrap_or(usize::MAX);
            fault.line = lines.get(place).copied().unwrap_or(fault.line);
            fault.row += before;
            let field = fault.field.as_ref().map(|field| format!(" {field}")).unwrap_or_default();
            progress.say(&format!("{file}:{}{field}: {} ({})", fault.line, fault.detail, fault.code));
            self.errors.push(fault);
        }
    }
}

fn by_name(path: &Path) -> Option<Format> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "csv" | "tsv" | "txt" => Some(Format::Csv),
        "ndjson" | "jsonl" | "json" => Some(Format::Ndjson),
        _ => None,
    }
}

/// A row of JSON begins with a brace; no column's name does.
fn by_content(input: &mut impl BufRead) -> io::Result<Format> {
    let text = input.fill_buf()?;
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    Ok(if text.trim_ascii_start().starts_with(b"{") { Format::Ndjson } else { Format::Csv })
}

/// The rows of a file, each as it stands there.
struct Rows<R> {
    input: R,
    /// What separates the cells of CSV; `None` where rows are lines.
    separator: Option<u8>,
    /// The row of names of CSV, sent before every batch.
    names: Vec<u8>,
    line: u64,
    octets: u64,
}

impl<R: BufRead> Rows<R> {
    fn new(mut input: R, format: Format) -> io::Result<Self> {
        let separator = match format {
            Format::Csv => Some(separator(input.fill_buf()?)),
            Format::Ndjson => None,
        };
        let mut rows = Self { input, separator, names: Vec::new(), line: 0, octets: 0 };
        if separator.is_some() {
            let mut names = Vec::new();
            rows.row(&mut names)?;
            rows.names = names;
        }
        Ok(rows)
    }

    /// The next rows; none at the end.
    fn batch(&mut self) -> io::Result<Batch> {
        let mut batch = Batch { octets: self.names.clone(), lines: VecDeque::new() };
        while batch.lines.len() < BATCH && batch.octets.len() < BATCH_OCTETS {
            let Some(line) = self.row(&mut batch.octets)? else { break };
            batch.lines.push_back(line);
        }
        Ok(batch)
    }

    /// Adds the next row that is not blank, with a line end; tells on which line it begins, or that there is none.
    fn row(&mut self, to: &mut Vec<u8>) -> io::Result<Option<u64>> {
        let began = to.len();
        let mut first = None;
        let mut quotes = Quotes::CellBegins;
        loop {
            let line_began = to.len();
            let read = self.input.by_ref().take(LONGEST_ROW).read_until(b'\n', to)?;
            self.octets += read as u64;
            if read == 0 {
                return Ok(first);
            }
            self.line += 1;
            let ended = to.ends_with(b"\n");
            if (to.len() - began) as u64 >= LONGEST_ROW {
                let first = first.unwrap_or(self.line);
                let text = format!(
                    "the row on line {first} is too long for an order; is there a quote that is never closed?"
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            if !ended {
                to.push(b'\n');
            }
            if first.is_none() && to[began..].trim_ascii().is_empty() {
                to.truncate(began);
                continue;
            }
            first.get_or_insert(self.line);
            if let Some(separator) = self.separator {
                quotes =
                    to[line_began..].iter().fold(quotes, |quotes, octet| quotes.after(*octet, separator));
            }
            if quotes != Quotes::Inside || !ended {
                return Ok(first);
            }
        }
    }
}

/// Where we are in the quoting of a row of CSV (RFC 4180 §2): a line end inside quotes belongs to the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    CellBegins,
    Plain,
    Inside,
    /// Closed, or the first of two that stand for one.
    Closed,
}

impl Quotes {
    fn after(self, octet: u8, separator: u8) -> Self {
        match (self, octet) {
            (Self::CellBegins | Self::Closed, b'"') => Self::Inside,
            (Self::Inside, b'"') => Self::Closed,
            (Self::Inside, _) => Self::Inside,
            (Self::CellBegins | Self::Plain | Self::Closed, octet) if octet == separator => Self::CellBegins,
            (Self::CellBegins | Self::Plain | Self::Closed, _) => Self::Plain,
        }
    }
}

/// What separates cells: whichever stands most often in the row of names.
fn separator(text: &[u8]) -> u8 {
    let names = text.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let count = |separator: u8| names.iter().filter(|octet| **octet == separator).count();
    [b';', b'\t', b','].into_iter().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}

/// Signs of life on stderr. What cannot be written there is not missed.
struct Progress {
    size: Option<u64>,
    /// Overwrite the last sign: someone looks at a terminal.
    overwrite: bool,
    shown: u64,
}

impl Progress {
    fn new(size: Option<u64>, json: bool) -> Self {
        Self { size, overwrite: !json && io::stderr().is_terminal(), shown: 0 }
    }

    fn advanced(&mut self, rows: u64, octets: u64) {
        if !self.overwrite && rows - self.shown < QUIET_ROWS {
            return;
        }
        self.shown = rows;
        let share =
            self.size.filter(|size| *size > 0).map(|size| format!(", {} %", (octets * 100 / size).min(100)));
        let text = format!("{rows} rows{}", share.unwrap_or_default());
        let mut stderr = io::stderr().lock();
        let _ = if self.overwrite { write!(stderr, "\r{text}\x1b[K") } else { writeln!(stderr, "{text}") };
        let _ = stderr.flush();
    }

    fn say(&mut self, line: &str) {
        let clear = if self.overwrite { "\r\x1b[K" } else { "" };
        let _ = writeln!(io::stderr().lock(), "{clear}{line}");
    }

    fn stopped(&mut self, rows: u64, line: Option<&u64>) {
        let line = line.copied().unwrap_or_default();
        self.say(&format!(
            "stopped at line {line}; the {rows} rows before it were sent, and sending them again does no harm"
        ));
    }

    fn done(&mut self, rows: u64) {
        self.say(&format!("{rows} rows"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(text: &str, format: Format) -> Vec<(String, Vec<u64>)> {
        // A buffer that holds the row of names, as a real one does, and hardly more.
        let mut rows = Rows::new(BufReader::with_capacity(24, text.as_bytes()), format).unwrap();
        let mut all = Vec::new();
        loop {
            let batch = rows.batch().unwrap();
            if batch.lines.is_empty() {
                return all;
            }
            all.push((String::from_utf8(batch.octets).unwrap(), batch.lines.into_iter().collect()));
        }
    }

    #[test]
    fn each_batch_of_csv_has_the_names_and_knows_its_lines() {
        let rows: String = (0..BATCH + 1).map(|row| format!("{row:05};1;2\n")).collect();
        let all = batches(&format!("code;courier;client\n{rows}"), Format::Csv);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].1.len(), BATCH);
        assert_eq!(all[1], (format!("code;courier;client\n{BATCH:05};1;2\n"), vec![BATCH as u64 + 2]));
    }

    #[test]
    fn a_cell_may_have_line_ends_and_a_row_is_sent_as_it_stands() {
        let text = "code,data\r\n1,\"{\"\"a\"\":\r\n1}\"\r\n\r\n2\r\n3,5\" pipe\r\n4,x";
        let sent = text.replace("\r\n\r\n", "\r\n") + "\n";
        assert_eq!(batches(text, Format::Csv), [(sent, vec![2, 5, 6, 7])]);
    }

    #[test]
    fn a_quote_that_is_never_closed_ends_the_import() {
        let text = format!("code,data\n1,\"\n{}", "x\n".repeat(1024 * 1024));
        let mut rows = Rows::new(text.as_bytes(), Format::Csv).unwrap();
        let error = rows.batch().unwrap_err().to_string();
        assert!(error.starts_with("the row on line 2 is too long"), "{error}");
    }

    #[test]
    fn blank_lines_of_ndjson_count_as_lines_and_are_not_sent() {
        let all = batches("{\"a\":1}\n\n{\"b\":2}", Format::Ndjson);
        assert_eq!(all, [("{\"a\":1}\n{\"b\":2}\n".to_owned(), vec![1, 3])]);
        assert!(batches("\n\n", Format::Ndjson).is_empty());
    }

    #[test]
    fn the_format_is_told_by_the_name_else_by_the_first_octet() {
        assert_eq!(by_name(Path::new("a.CSV")), Some(Format::Csv));
        assert_eq!(by_name(Path::new("a.jsonl")), Some(Format::Ndjson));
        assert_eq!(by_name(Path::new("-")), None);
        assert_eq!(by_content(&mut "\u{feff} {\"code\":1}".as_bytes()).unwrap(), Format::Ndjson);
        assert_eq!(by_content(&mut "code,courier".as_bytes()).unwrap(), Format::Csv);
    }
}
