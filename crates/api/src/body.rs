//! What comes with a request: bounded in length and time, and read so that whoever wrote it learns what is wrong.

use std::error::Error as _;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::parameters::shortened;
use crate::problem::{Fault, Problem};

/// For a whole body, save those of imports, which have it for each piece.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn collect(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let read = Limited::new(body, limit).collect();
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Ok(Err(_)) => Err(Problem::new(Fault::BodyCut, "the connection ended before the body")),
        Err(_) => Err(Problem::new(Fault::BodyTimeout, format!("it has {} seconds", PATIENCE.as_secs()))),
    }
}

pub(crate) fn too_large(limit: usize) -> Problem {
    Problem::new(Fault::BodyTooLarge, format!("at most {limit} bytes are taken here"))
}

/// Whether `content` is one of `wanted` (`type/subtype`, lower case); parameters do not matter.
pub(crate) fn is_type(headers: &HeaderMap, wanted: &[&str]) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    wanted.iter().any(|wanted| essence.eq_ignore_ascii_case(wanted))
}

/// Reads a JSON body. `application/json` must be said: a form posted by a foreign web page cannot say it.
pub(crate) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    if !is_type(headers, &["application/json"]) {
        return Err(Problem::new(Fault::ContentType, "send Content-Type: application/json"));
    }
    parse(body)
}

/// Reads JSON that somebody answered us.
///
/// # Errors
/// What is wrong and where, without a word of what is there.
pub fn read_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    parse(text).map_err(|problem| match problem.field.filter(|field| !field.is_empty()) {
        Some(field) => format!("{field}: {}", problem.detail),
        None => problem.detail,
    })
}

/// Reads JSON, naming the place where it is broken or the field that is wrong.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        explain(error.inner(), &path)
    })?;
    reader.end().map_err(|error| explain(&error, ""))?;
    Ok(value)
}

/// For a field of which `null` says something else than nothing does.
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

fn explain(error: &serde_json::Error, path: &str) -> Problem {
    use serde_json::error::Category;
    match error.classify() {
        Category::Data => field_problem(error, path),
        Category::Syntax | Category::Eof | Category::Io => {
            // The text of the error ends in "at line … column …"; it never quotes the body.
            Problem::new(Fault::NotJson, error.to_string())
        }
    }
}

/// `serde` tells these apart only by its words; the tests below pin them.
fn field_problem(error: &serde_json::Error, path: &str) -> Problem {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    let parent = match path {
        "." => "",
        _ => path,
    };
    let named = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
    if let Some(rest) = what.strip_prefix("missing field `") {
        let name = rest.trim_end_matches('`');
        Problem::new(Fault::MissingField, format!("{name} is needed")).at(named(name))
    } else if what.starts_with("unknown field `") {
        let known = what.split_once(", expected ").map_or("none", |(_, known)| known).replace('`', "");
        Problem::new(Fault::UnknownField, format!("known here: {}", known.trim_start_matches("one of ")))
            .at(shortened(parent))
    } else if let Some(rest) = what.strip_prefix("duplicate field `") {
        let name = rest.trim_end_matches('`');
        Problem::new(Fault::WrongType, format!("{name} is given twice")).at(named(name))
    } else {
        Problem::new(Fault::WrongType, shortened_detail(what)).at(shortened(parent))
    }
}

/// `invalid type: string "…", expected …` quotes the value, which may be a telephone number: only what was
/// expected is told.
fn shortened_detail(what: &str) -> String {
    match what.split_once("expected ") {
        Some((_, expected)) => format!("expected {}", shortened(expected)),
        None => "this value cannot stand here".to_owned(),
    }
}

/// Whether reading a body stopped because of its length.
pub(crate) fn is_length_limit(error: &axum::Error) -> bool {
    error.source().is_some_and(|source| source.is::<LengthLimitError>())
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
        let body = Body::from_stream(begun.chain(stream::pending()));
        let began = tokio::time::Instant::now();
        assert_eq!(collect(body, 10).await.unwrap_err().fault, Fault::BodyTimeout);
        assert_eq!(began.elapsed(), PATIENCE);
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_and_not_beyond() {
        assert_eq!(collect(Body::from("1234"), 4).await.unwrap(), "1234");
        assert_eq!(collect(Body::from("12345"), 4).await.unwrap_err().fault, Fault::BodyTooLarge);
        let cut = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]));
        assert_eq!(collect(cut, 4).await.unwrap_err().fault, Fault::BodyCut);
    }

    #[test]
    fn the_type_of_a_body_is_told_without_its_parameters() {
        let headers = |value: &str| [(header::CONTENT_TYPE, value.parse().unwrap())].into_iter().collect();
        assert!(is_type(&headers("Application/JSON; charset=utf-8"), &["application/json"]));
        assert!(!is_type(&headers("application/jsonp"), &["application/json"]));
        assert!(!is_type(&HeaderMap::new(), &["application/json"]));
    }
}
