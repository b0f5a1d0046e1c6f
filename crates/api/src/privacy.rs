//! How much of a telephone number is shown.

use std::fmt;
use std::ops::Range;

use hmac::{Hmac, Mac};
use number::Number;
use serde_json::Value;
use sha2::Sha256;
use store::Json;

use crate::webhooks::hex;

/// The setting `privacy.numbers`: how numbers stand in records, events and the console.
#[derive(Clone, PartialEq, Eq)]
pub enum Privacy {
    /// `+79991112233`.
    Full,
    /// `***2233`.
    Last4,
    /// `h:` and 32 hexadecimal digits: HMAC-SHA256 with this key, so that equal numbers can be told to be equal
    /// but nobody without the key can try all numbers there are.
    Hashed(Box<[u8]>),
}

impl Privacy {
    /// The number as it may be shown.
    #[must_use]
    pub fn show(&self, number: Number) -> String {
        match self {
            Self::Full => number.to_string(),
            Self::Last4 => last4(number),
            Self::Hashed(key) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
                mac.update(number.to_string().as_bytes());
                format!("h:{}", hex(&mac.finalize().into_bytes()[..16]))
            }
        }
    }
}

impl fmt::Debug for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "Full",
            Self::Last4 => "Last4",
            Self::Hashed(_) => "Hashed",
        })
    }
}

/// The last four digits, the rest starred out.
pub(crate) fn last4(number: Number) -> String {
    format!("***{:04}", number.last4())
}

/// A number in the form records have it, for someone who may not see it whole.
pub(crate) fn masked(shown: &str) -> String {
    if shown.starts_with('+') {
        Number::parse(shown).map_or_else(|_| "***".to_owned(), last4)
    } else {
        shown.to_owned()
    }
}

/// Members whose values are numbers of ours, which nobody need hide.
const OURS: [&str; 5] = ["line", "dialled", "shown", "a_dials", "b_dials"];

/// Members that people write, in which numbers stand among other things.
const TEXTS: [&str; 4] = ["name", "caller_name", "callee_name", "note"];

/// The same JSON with every telephone number masked.
pub(crate) fn mask_json(json: &Json) -> Json {
    // What nests deeper than a reader follows is not shown to those who may not see numbers.
    let mut value = serde_json::from_str(json.as_str()).unwrap_or(Value::Null);
    mask(&mut value);
    Json::of(&value).expect("a value has a JSON form")
}

/// Masks every value in JSON that is a telephone number, wherever a shop may have put it.
fn mask(value: &mut Value) {
    match value {
        Value::String(text) => *text = masked_if_number(text).unwrap_or_else(|| mask_words(text)),
        Value::Number(digits) => {
            if let Some(masked) = masked_if_number(&digits.to_string()) {
                *value = Value::String(masked);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(members) => members
            .iter_mut()
            .filter(|(name, value)| !(value.is_string() && OURS.contains(&name.as_str())))
            .for_each(|(name, value)| mask_member(name, value)),
        Value::Null | Value::Bool(_) => {}
    }
}

fn mask_member(name: &str, value: &mut Value) {
    match value.as_str().filter(|_| TEXTS.contains(&name)) {
        Some(text) => *value = Value::String(mask_text(text)),
        None => mask(value),
    }
}

/// With a plus sign any number; without, ten to fifteen digits, so that codes, dates and prices are left alone.
fn masked_if_number(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let punctuation = text.bytes().all(|b| b.is_ascii_digit() || b" -().+/".contains(&b));
    let long = (10..=15).contains(&digits.len()) || text.starts_with('+') && digits.len() > 4;
    (punctuation && long).then(|| format!("***{}", &digits[digits.len() - 4..]))
}

/// A text that people wrote, as it may be shown.
pub(crate) fn shown_text(text: &str, masks: bool) -> String {
    if masks { mask_text(text) } else { text.to_owned() }
}

/// Digits and what stands between them, wherever they stand in a text; no blanks around.
fn runs(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut begin = 0;
    std::iter::from_fn(move || {
        let start = begin + text[begin..].find(|c: char| c == '+' || c.is_ascii_digit())?;
        let rest = &text[start..];
        let end = rest.find(|c: char| !(c.is_ascii_digit() || " -().+/".contains(c))).unwrap_or(rest.len());
        let run = rest[..end].trim_end_matches(|c: char| !c.is_ascii_digit());
        begin = start + run.len().max(1);
        Some(start..begin)
    })
}

/// As [`masked_if_number`]; and what has too many digits for one number may be several.
fn masked_run(run: &str) -> Option<String> {
    let several = || run.bytes().filter(u8::is_ascii_digit).count() > 15;
    masked_if_number(run).or_else(|| several().then(|| "***".to_owned()))
}

/// The same of a text that people or programs wrote: what stands against a letter is part of a name, what stands before a colon of a time.
fn mask_words(text: &str) -> String {
    let (mut shown, mut done) = (String::with_capacity(text.len()), 0);
    for run in runs(text) {
        let is_time = text[run.end..].starts_with(':');
        if let Some(masked) = masked_run(&text[run.clone()]).filter(|_| !is_time && !is_part(text, &run)) {
            shown += &text[done..run.start];
            shown += &masked;
            done = run.end;
        }
    }
    shown + &text[done..]
}

/// Whether digits stand against a letter.
fn is_part(text: &str, run: &Range<usize>) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic();
    text[..run.start].ends_with(is_letter) || text[run.end..].starts_with(is_letter)
}

/// A text with whatever in it may be a telephone number masked, wherever it stands.
pub(crate) fn mask_text(text: &str) -> String {
    let (mut shown, mut done) = (String::with_capacity(text.len()), 0);
    for run in runs(text) {
        shown += &text[done..run.start];
        done = run.end;
        shown += &masked_run(&text[run.clone()]).unwrap_or_else(|| text[run].to_owned());
    }
    shown + &text[done..]
}

/// Whether what is left of a text once it is masked has this in it, small or capital: a number in it cannot be found out digit by
/// digit.
pub(crate) fn is_shown(text: &str, wanted: &str) -> bool {
    mask_text(text).to_lowercase().contains(&wanted.to_lowercase())
}

/// Whether somebody who may not see numbers would see one in this text. Digits that stand against a letter are part of a name.
#[must_use]
pub fn tells_number(text: &str) -> bool {
    runs(text).any(|run| !is_part(text, &run) && masked_run(&text[run]).is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_shown_as_the_setting_says() {
        let number = Number::parse("+79991110007").unwrap();
        assert_eq!(Privacy::Full.show(number), "+79991110007");
        assert_eq!(Privacy::Last4.show(number), "***0007");
        let hashed = Privacy::Hashed(b"key".as_slice().into());
        assert_eq!(hashed.show(number), hashed.show(number));
        assert_eq!(hashed.show(number).len(), 34);
        let other = Privacy::Hashed(b"other".as_slice().into());
        assert_ne!(hashed.show(number), other.show(number));
        assert_eq!(format!("{hashed:?}"), "Hashed");
    }

    #[test]
    fn whatever_the_form_a_masked_number_stays_masked() {
        assert_eq!(masked("+79991112233"), "***2233");
        assert_eq!(masked("***2233"), "***2233");
        assert_eq!(masked("h:00ff"), "h:00ff");
    }

    #[test]
    fn a_text_is_shown_without_the_numbers_in_it() {
        for (text, shown) in [
            ("Ann, 12 days", "Ann, 12 days"),
            ("+79991112233", "***2233"),
            ("Ann +7 (999) 111-22-33, call after 18:00", "Ann ***2233, call after 18:00"),
            ("тел89991112233Ann", "тел***2233Ann"),
            ("8 999 111 22 33 / 8 999 111 22 34", "***"),
            ("+ and +1 and + 1", "+ and +1 and + 1"),
            ("2026-11-20, 4500 apples", "2026-11-20, 4500 apples"),
            ("", ""),
        ] {
            assert_eq!(mask_text(text), shown);
        }
    }

    #[test]
    fn a_link_tells_no_number_and_may_have_ids() {
        for told in ["+79991112233", "89991112233", "order 89991112233", "7-999-111-22-33", "(999)1112233"] {
            assert!(tells_number(told), "{told}");
        }
        for fine in
            ["12345", "550e8400-e29b-41d4-a716-446655440000", "lead89991112233", "C-4500", "2026-11-20"]
        {
            assert!(!tells_number(fine), "{fine}");
        }
    }

    #[test]
    fn numbers_are_masked_within_what_shops_write_and_names_and_times_are_left_alone() {
        let mut value = json!({
            "note to us": "ring 8 (999) 111-22-33, or +7 999 111 22 34 after 18:00",
            "id": "01KB2M3K4P5Q6R7S8T9012345678",
            "at": "2026-11-20T08:15:30.250Z",
            "slot": "2026-11-20 08:15",
            "hash": "h:0123456789abcdef0123456789abcdef",
        });
        let mut expected = value.clone();
        expected["note to us"] = json!("ring ***2233, or ***2234 after 18:00");
        mask(&mut value);
        assert_eq!(value, expected);
    }

    #[test]
    fn numbers_are_masked_wherever_they_are_hidden() {
        let mut value = json!({
            "caller": "+79991112233",
            "caller_name": "Ann 8 999 111 22 33",
            "line": "+74950000001",
            "code": "12345",
            "data": {"phones": ["8 (999) 111-22-33", 79991112233_u64, "0999 111 22 33"], "day": "2026-11-20", "price": 1200},
        });
        mask(&mut value);
        assert_eq!(
            value,
            json!({
                "caller": "***2233",
                "caller_name": "Ann ***2233",
                "line": "+74950000001",
                "code": "12345",
                "data": {"phones": ["***2233", "***2233", "***2233"], "day": "2026-11-20", "price": 1200},
            })
        );
    }
}
