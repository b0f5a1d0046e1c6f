//! What the columns of a CSV file mean.

use crate::draft::{NumberText, PartyBody, RowBody};
use crate::parameters::shortened;
use crate::problem::{Fault, Problem};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Code,
    CourierNumber,
    CourierName,
    CourierLanguage,
    ClientNumber,
    ClientName,
    ClientLanguage,
    TtlSeconds,
    ExpiresAt,
    Line,
    Data,
    MaxCalls,
    CourierQuiet,
    CourierTimeZone,
    ClientQuiet,
    ClientTimeZone,
}

/// Names of each column; the dots of JSON paths may be underscores.
const NAMES: [(&str, Column); 18] = [
    ("code", Column::Code),
    ("courier", Column::CourierNumber),
    ("courier_number", Column::CourierNumber),
    ("courier_name", Column::CourierName),
    ("courier_language", Column::CourierLanguage),
    ("client", Column::ClientNumber),
    ("client_number", Column::ClientNumber),
    ("client_name", Column::ClientName),
    ("client_language", Column::ClientLanguage),
    ("ttl_seconds", Column::TtlSeconds),
    ("expires_at", Column::ExpiresAt),
    ("line", Column::Line),
    ("data", Column::Data),
    ("max_calls", Column::MaxCalls),
    ("courier_quiet", Column::CourierQuiet),
    ("courier_time_zone", Column::CourierTimeZone),
    ("client_quiet", Column::ClientQuiet),
    ("client_time_zone", Column::ClientTimeZone),
];

/// Without these no row can be right.
const NEEDED: [(Column, &str); 3] = [
    (Column::Code, "code"),
    (Column::CourierNumber, "courier_number"),
    (Column::ClientNumber, "client_number"),
];

/// The columns of one file.
#[derive(Debug)]
pub(crate) struct Columns(Vec<Column>);

impl Columns {
    /// Reads the row of names.
    pub(crate) fn read(names: &[String]) -> Result<Self, Problem> {
        let mut columns = Vec::new();
        for name in names {
            let plain = name.trim().to_ascii_lowercase().replace('.', "_");
            let Some((_, column)) = NAMES.iter().find(|(known, _)| *known == plain) else {
                let known: Vec<&str> = NAMES.iter().map(|(known, _)| *known).collect();
                let detail = format!("the first row names the columns; known are {}", known.join(", "));
                return Err(Problem::new(Fault::UnknownField, detail).at(shortened(name)));
            };
            if columns.contains(column) {
                return Err(Problem::new(Fault::WrongType, "this column is there twice").at(shortened(name)));
            }
            columns.push(*column);
        }
        match NEEDED.iter().find(|(column, _)| !columns.contains(column)) {
            None => Ok(Self(columns)),
            Some((_, name)) => {
                Err(Problem::new(Fault::MissingField, format!("the first row names no column {name}"))
                    .at(*name))
            }
        }
    }

    /// Reads a row. An empty cell is a field left out.
    pub(crate) fn row(&self, cells: &[String]) -> Result<RowBody, Problem> {
        if cells.len() != self.0.len() {
            let detail = format!("{} cells where the first row has {}", cells.len(), self.0.len());
            return Err(Problem::new(Fault::RowInvalid, detail));
        }
        let cell = |wanted: Column| {
            let place = self.0.iter().position(|column| *column == wanted)?;
            Some(cells[place].trim()).filter(|cell| !cell.is_empty()).map(str::to_owned)
        };
        let needed = |wanted: Column, name: &str| {
            cell(wanted)
                .ok_or_else(|| Problem::new(Fault::MissingField, format!("{name} is needed")).at(name))
        };
        let party = |[number, called, language, quiet, time_zone]: [Column; 5], name: &str| {
            Ok::<_, Problem>(PartyBody {
                number: NumberText(needed(number, name)?),
                name: cell(called),
                language: cell(language),
                quiet: cell(quiet),
                time_zone: cell(time_zone),
            })
        };
        let wrong = |name: &str| Problem::new(Fault::WrongType, "expected a whole number").at(name);
        let ttl_seconds = cell(Column::TtlSeconds).map(|text| text.parse().map_err(|_| wrong("ttl_seconds")));
        let max_calls = cell(Column::MaxCalls).map(|text| text.parse().map_err(|_| wrong("max_calls")));
        let courier = [
            Column::CourierNumber,
            Column::CourierName,
            Column::CourierLanguage,
            Column::CourierQuiet,
            Column::CourierTimeZone,
        ];
        let client = [
            Column::ClientNumber,
            Column::ClientName,
            Column::ClientLanguage,
            Column::ClientQuiet,
            Column::ClientTimeZone,
        ];
        let data = cell(Column::Data).map(|text| {
            serde_json::value::RawValue::from_string(text)
                .map_err(|why| Problem::new(Fault::NotJson, why.to_string()).at("data"))
        });
        Ok(RowBody {
            code: needed(Column::Code, "code")?,
            courier: party(courier, "courier.number")?,
            client: party(client, "client.number")?,
            ttl_seconds: ttl_seconds.transpose()?,
            expires_at: cell(Column::ExpiresAt),
            line: cell(Column::Line).map(NumberText),
            data: data.transpose()?,
            max_calls: max_calls.transpose()?,
        })
    }
}
