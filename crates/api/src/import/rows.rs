//! Row by row: read, checked, kept a thousand at a time.

use std::io::BufRead;
use std::time::SystemTime;

use serde::Serialize;
use store::{Order, Put, StoreError, Timestamp};

use super::columns::Columns;
use super::lines::{LONGEST_ROW, Quoting, Row, Rows};
use crate::draft::{self, RowBody};
use crate::interface::Settings;
use crate::problem::{Fault, Problem};

/// Most rows of one import.
const MOST: u64 = 1_000_000;
/// Orders kept at once.
const BATCH: usize = 1000;
/// Faults told one by one; the rest is only counted.
const FAULTS: usize = 200;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Ndjson,
}

/// What became of an import.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    pub(crate) created: u64,
    pub(crate) replaced: u64,
    pub(crate) failed: u64,
    pub(crate) errors: Vec<RowFault>,
    /// Whether more rows failed than are in `errors`.
    pub(crate) errors_truncated: bool,
}

/// A row that was not kept.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RowFault {
    /// From 1, without the row of names.
    pub(crate) row: u64,
    /// Line of the file on which it begins, from 1.
    pub(crate) line: u64,
    pub(crate) field: Option<String>,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
}

/// How orders are kept.
pub(crate) type Keep<'a> = &'a dyn Fn(Vec<Order>) -> Result<Vec<Put>, StoreError>;

/// Takes a whole file.
pub(crate) fn take(
    from: impl BufRead,
    format: Format,
    settings: &Settings,
    keep: Keep<'_>,
) -> Result<Summary, Problem> {
    let quoting = match format {
        Format::Csv => Quoting::Csv { separator: None },
        Format::Ndjson => Quoting::None,
    };
    let mut rows = Rows::new(from, quoting);
    let reader = match format {
        Format::Ndjson => Reader::Ndjson,
        Format::Csv => header(&mut rows)?,
    };
    let mut taker = Taker { settings, keep, batch: Vec::new(), rows: 0, summary: Summary::default() };
    while let Some(row) = next(&mut rows)? {
        taker.row(&reader, &row)?;
        if matches!(row, Row::TooLong { .. }) && format == Format::Csv {
            // Perhaps a quote was never closed: what follows cannot be told apart.
            break;
        }
    }
    taker.flush()?;
    Ok(taker.summary)
}

fn next<R: BufRead>(rows: &mut Rows<R>) -> Result<Option<Row>, Problem> {
    rows.next().map_err(|error| {
        tracing::error!(%error, "an import put aside cannot be read");
        Problem::new(Fault::StoreFailed, "the log says why")
    })
}

/// How a row is read.
enum Reader {
    Ndjson,
    Csv { separator: u8, columns: Columns },
}

/// Reads the row of names of a CSV file. What separates them separates all cells.
fn header<R: BufRead>(rows: &mut Rows<R>) -> Result<Reader, Problem> {
    let names = match next(rows)? {
        None => {
            return Err(Problem::new(
                Fault::RowInvalid,
                "the file is empty; the first row names the columns",
            ));
        }
        Some(Row::TooLong { .. }) => {
            return Err(Problem::new(Fault::RowInvalid, "the first row names the columns; it is too long"));
        }
        Some(Row::Whole { bytes, .. }) => bytes,
    };
    let separator = [b';', b'\t', b',']
        .into_iter()
        .max_by_key(|separator| names.iter().filter(|byte| *byte == separator).count());
    let separator = separator.expect("there are three");
    rows.separated_by(separator);
    Ok(Reader::Csv { separator, columns: Columns::read(&cells(&names, separator)?)? })
}

impl Reader {
    fn read(&self, row: &[u8]) -> Result<RowBody, Problem> {
        match self {
            Self::Ndjson => crate::body::parse(row),
            Self::Csv { separator, columns } => columns.row(&cells(row, *separator)?),
        }
    }
}

fn cells(row: &[u8], separator: u8) -> Result<Vec<String>, Problem> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(separator)
        .buffer_capacity(row.len().max(1))
        .from_reader(row);
    let mut cells = csv::StringRecord::new();
    let read = reader.read_record(&mut cells);
    match read {
        Ok(true) => Ok(cells.iter().map(str::to_owned).collect()),
        Ok(false) => Ok(Vec::new()),
        Err(_) => Err(Problem::new(Fault::RowInvalid, "the row is not UTF-8")),
    }
}

/// An import under way.
struct Taker<'a> {
    settings: &'a Settings,
    keep: Keep<'a>,
    batch: Vec<Order>,
    rows: u64,
    summary: Summary,
}

impl Taker<'_> {
    fn row(&mut self, reader: &Reader, row: &Row) -> Result<(), Problem> {
        self.rows += 1;
        if self.rows > MOST {
            self.flush()?;
            let Summary { created, replaced, failed, .. } = &self.summary;
            let detail = format!(
                "at most {MOST} rows at once; of those before, {created} were created, {replaced} replaced and \
                 {failed} failed"
            );
            return Err(Problem::new(Fault::BodyTooLarge, detail));
        }
        let (line, read) = match row {
            Row::Whole { line, bytes } => (*line, self.order(reader, bytes)),
            Row::TooLong { line } => {
                let detail = format!("longer than {LONGEST_ROW} bytes; is a quote not closed?");
                (*line, Err(Problem::new(Fault::RowInvalid, detail)))
            }
        };
        match read {
            Ok(order) => self.batch.push(order),
            Err(problem) => self.fault(line, problem),
        }
        if self.batch.len() == BATCH { self.flush() } else { Ok(()) }
    }

    fn order(&self, reader: &Reader, row: &[u8]) -> Result<Order, Problem> {
        let (code, body) = reader.read(row)?.split();
        draft::check(&code, body, self.settings, Timestamp::from(SystemTime::now()))
    }

    fn fault(&mut self, line: u64, problem: Problem) {
        self.summary.failed += 1;
        if self.summary.errors.len() == FAULTS {
            self.summary.errors_truncated = true;
            return;
        }
        let Problem { fault, detail, field, .. } = problem;
        self.summary.errors.push(RowFault { row: self.rows, line, field, code: fault.word(), detail });
    }

    fn flush(&mut self) -> Result<(), Problem> {
        let kept = (self.keep)(std::mem::take(&mut self.batch)).map_err(|error| {
            tracing::error!(%error, "an import ended early");
            let Summary { created, replaced, failed, .. } = &self.summary;
            let detail = format!(
                "the store failed; before that {created} were created, {replaced} replaced and {failed} failed: \
                 import the file again"
            );
            Problem::new(Fault::StoreFailed, detail)
        })?;
        for put in kept {
            match put {
                Put::Created => self.summary.created += 1,
                Put::Replaced => self.summary.replaced += 1,
                // Nothing was asked to be so.
                Put::Refused => {}
            }
        }
        Ok(())
    }
}
