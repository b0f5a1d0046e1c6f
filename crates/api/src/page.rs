//! Lists by pages.

use serde::Serialize;
use store::{Page, StoreError};

/// One page of a list, as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    /// What to give as `cursor` for the next page; `null` after the last.
    pub(crate) next_cursor: Option<String>,
}

impl<T> Listed<T> {
    /// A page of the store, each item as it may be shown.
    pub(crate) fn of<S>(page: Page<S>, show: impl FnMut(S) -> T) -> Self {
        Self { items: page.items.into_iter().map(show).collect(), next_cursor: page.next }
    }
}

/// How often a page that came short is filled up: the store bounds the work of each read.
const READS: usize = 16;

/// Reads until a page is full, the list ends, or enough was read for one answer.
pub(crate) fn filled<T>(
    mut cursor: Option<String>,
    limit: usize,
    read: impl Fn(Option<&str>, usize) -> Result<Page<T>, StoreError>,
) -> Result<Page<T>, StoreError> {
    let mut items = Vec::new();
    for _ in 0..READS {
        let page = read(cursor.as_deref(), limit - items.len())?;
        items.extend(page.items);
        cursor = page.next;
        if cursor.is_none() || items.len() >= limit {
            break;
        }
    }
    Ok(Page { items, next: cursor })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list that comes two at a time, and nothing every other time.
    fn short(cursor: Option<&str>, limit: usize) -> Result<Page<usize>, StoreError> {
        let at: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        if at % 2 == 1 {
            return Ok(Page { items: vec![], next: Some((at + 1).to_string()) });
        }
        let items: Vec<usize> = (at..at + limit.min(2)).collect();
        let end = at + 3 >= 12;
        Ok(Page { items, next: (!end).then(|| (at + 3).to_string()) })
    }

    #[test]
    fn short_and_empty_pages_are_filled_up() {
        let page = filled(None, 4, short).unwrap();
        assert_eq!(page.items, [0, 1, 4, 5]);
        let rest = filled(page.next, 100, short).unwrap();
        assert_eq!((rest.items, rest.next), (vec![8, 9, 12, 13], None));
    }
}
