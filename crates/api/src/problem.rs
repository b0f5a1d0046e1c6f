//! Errors as RFC 9457 problem documents: one closed list of what can be wrong with a request.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode as S, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What can be wrong. The word of each is a promise: programs branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    NotJson,
    ContentType,
    BodyTooLarge,
    BodyTimeout,
    BodyCut,
    UnknownField,
    MissingField,
    WrongType,
    CodeInvalid,
    NumberInvalid,
    SameNumber,
    ExpiryOutOfRange,
    ExpiryPast,
    ExpiryTwice,
    UnknownLine,
    UnknownLanguage,
    UnknownPrompt,
    UnknownPlan,
    UnknownContact,
    NameInvalid,
    OutOfRange,
    DataTooLarge,
    QuietInvalid,
    WindowInvalid,
    RowInvalid,
    DigitsInvalid,
    UnknownParameter,
    ParameterInvalid,
    CursorInvalid,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    IdempotencyKeyBusy,
    Unauthorized,
    LoginFailed,
    LoginTooOften,
    CsrfMissing,
    CrossOrigin,
    Forbidden,
    NoSuchPath,
    OrderUnknown,
    LineNeeded,
    PreconditionFailed,
    RateLimited,
    BlockUnknown,
    CallUnknown,
    CallbackUnknown,
    PlanUnknown,
    ContactUnknown,
    ContactExists,
    ContactsFull,
    RecordUnknown,
    RecordingUnknown,
    RecordingDeleted,
    RecordingUnreadable,
    NotRecorded,
    PromptUnknown,
    WebhookUnknown,
    DeadLetterUnknown,
    NumberOurs,
    NumberNotInPool,
    CountryNotAllowed,
    DialsInvalid,
    PartyNeeded,
    PairUnknown,
    PairEnded,
    PairLive,
    PairChanged,
    NoNumberFree,
    NumberBusy,
    MethodNotAllowed,
    RangeNotSatisfiable,
    PromptUnusable,
    TextInvalid,
    SpeechFailed,
    UpgradeNeeded,
    TooManyStreams,
    Overloaded,
    StoreFailed,
    ServerSilent,
    Internal,
}

/// The stable word of each fault, its status, and the title that goes with it; in the order of the enum.
const ROWS: [(Fault, &str, S, &str); 80] = [
    (Fault::NotJson, "not-json", S::BAD_REQUEST, "The body is not JSON"),
    (Fault::ContentType, "content-type", S::UNSUPPORTED_MEDIA_TYPE, "This type of body is not taken here"),
    (Fault::BodyTooLarge, "body-too-large", S::PAYLOAD_TOO_LARGE, "The body is too large"),
    (Fault::BodyTimeout, "body-timeout", S::REQUEST_TIMEOUT, "The body did not arrive in time"),
    (Fault::BodyCut, "body-cut", S::BAD_REQUEST, "The body ended before its time"),
    (Fault::UnknownField, "unknown-field", S::UNPROCESSABLE_ENTITY, "There is no such field"),
    (Fault::MissingField, "missing-field", S::UNPROCESSABLE_ENTITY, "A field is missing"),
    (Fault::WrongType, "wrong-type", S::UNPROCESSABLE_ENTITY, "A field has the wrong type"),
    (Fault::CodeInvalid, "code-invalid", S::UNPROCESSABLE_ENTITY, "This cannot be an order code"),
    (Fault::NumberInvalid, "number-invalid", S::UNPROCESSABLE_ENTITY, "This is no telephone number"),
    (Fault::SameNumber, "same-number", S::UNPROCESSABLE_ENTITY, "Both parties have the same number"),
    (Fault::ExpiryOutOfRange, "expiry-out-of-range", S::UNPROCESSABLE_ENTITY, "This lifetime is not allowed"),
    (Fault::ExpiryPast, "expiry-past", S::UNPROCESSABLE_ENTITY, "This time has passed"),
    (Fault::ExpiryTwice, "expiry-twice", S::UNPROCESSABLE_ENTITY, "The lifetime is given twice"),
    (Fault::UnknownLine, "unknown-line", S::UNPROCESSABLE_ENTITY, "There is no such line"),
    (Fault::UnknownLanguage, "unknown-language", S::UNPROCESSABLE_ENTITY, "There is no such language"),
    (Fault::UnknownPrompt, "unknown-prompt", S::UNPROCESSABLE_ENTITY, "There is no such prompt"),
    (Fault::UnknownPlan, "unknown-plan", S::UNPROCESSABLE_ENTITY, "There is no such plan"),
    (Fault::UnknownContact, "unknown-contact", S::UNPROCESSABLE_ENTITY, "There is no such contact"),
    (Fault::NameInvalid, "name-invalid", S::UNPROCESSABLE_ENTITY, "Nobody can be called this"),
    (Fault::OutOfRange, "out-of-range", S::UNPROCESSABLE_ENTITY, "This value is not allowed"),
    (Fault::DataTooLarge, "data-too-large", S::UNPROCESSABLE_ENTITY, "The attached data is too large"),
    (Fault::QuietInvalid, "quiet-invalid", S::UNPROCESSABLE_ENTITY, "These are no quiet hours"),
    (Fault::WindowInvalid, "window-invalid", S::UNPROCESSABLE_ENTITY, "These are no hours of a day"),
    (Fault::RowInvalid, "row-invalid", S::UNPROCESSABLE_ENTITY, "This row cannot be read"),
    (Fault::DigitsInvalid, "digits-invalid", S::UNPROCESSABLE_ENTITY, "These digits cannot be keyed"),
    (Fault::UnknownParameter, "unknown-parameter", S::BAD_REQUEST, "There is no such parameter"),
    (Fault::ParameterInvalid, "parameter-invalid", S::BAD_REQUEST, "A parameter cannot be read"),
    (Fault::CursorInvalid, "cursor-invalid", S::BAD_REQUEST, "This cursor is not one of ours"),
    (
        Fault::IdempotencyKeyInvalid,
        "idempotency-key-invalid",
        S::BAD_REQUEST,
        "The idempotency key cannot be used",
    ),
    (
        Fault::IdempotencyKeyReused,
        "idempotency-key-reused",
        S::UNPROCESSABLE_ENTITY,
        "The idempotency key stands for another request",
    ),
    (
        Fault::IdempotencyKeyBusy,
        "idempotency-key-busy",
        S::CONFLICT,
        "A request with this idempotency key is under way",
    ),
    (Fault::Unauthorized, "unauthorized", S::UNAUTHORIZED, "A valid bearer token or session is needed"),
    (Fault::LoginFailed, "login-failed", S::UNAUTHORIZED, "Nobody is known by this"),
    (Fault::LoginTooOften, "login-too-often", S::TOO_MANY_REQUESTS, "Too many attempts failed"),
    (
        Fault::CsrfMissing,
        "csrf-missing",
        S::FORBIDDEN,
        "The request does not say that a page of ours sent it",
    ),
    (Fault::CrossOrigin, "cross-origin", S::FORBIDDEN, "The request comes from another site"),
    (Fault::Forbidden, "forbidden", S::FORBIDDEN, "Whoever asks may not do that"),
    (Fault::NoSuchPath, "no-such-path", S::NOT_FOUND, "There is nothing at this path"),
    (Fault::OrderUnknown, "order-unknown", S::NOT_FOUND, "There is no such order"),
    (Fault::LineNeeded, "line-needed", S::CONFLICT, "Several lines have such an order"),
    (Fault::PreconditionFailed, "precondition-failed", S::PRECONDITION_FAILED, "It is not as it was to be"),
    (Fault::RateLimited, "rate-limited", S::TOO_MANY_REQUESTS, "Too many requests with this token"),
    (Fault::BlockUnknown, "block-unknown", S::NOT_FOUND, "There is no such block"),
    (Fault::CallUnknown, "call-unknown", S::NOT_FOUND, "There is no such call"),
    (Fault::CallbackUnknown, "callback-unknown", S::NOT_FOUND, "There is no such callback"),
    (Fault::PlanUnknown, "plan-unknown", S::NOT_FOUND, "There is no such plan"),
    (Fault::ContactUnknown, "contact-unknown", S::NOT_FOUND, "There is no such contact"),
    (Fault::ContactExists, "contact-exists", S::CONFLICT, "The number is another contact's"),
    (Fault::ContactsFull, "contacts-full", S::CONFLICT, "There are as many contacts as there may be"),
    (Fault::RecordUnknown, "record-unknown", S::NOT_FOUND, "There is no such record"),
    (Fault::RecordingUnknown, "recording-unknown", S::NOT_FOUND, "There is no such recording"),
    (Fault::RecordingDeleted, "recording-deleted", S::GONE, "The recording was deleted"),
    (
        Fault::RecordingUnreadable,
        "recording-unreadable",
        S::INTERNAL_SERVER_ERROR,
        "The recording cannot be read",
    ),
    (Fault::NotRecorded, "not-recorded", S::CONFLICT, "The call is not recorded"),
    (Fault::PromptUnknown, "prompt-unknown", S::NOT_FOUND, "There is no such prompt"),
    (Fault::WebhookUnknown, "webhook-unknown", S::NOT_FOUND, "There is no such webhook"),
    (Fault::DeadLetterUnknown, "dead-letter-unknown", S::NOT_FOUND, "There is no such dead letter"),
    (Fault::NumberOurs, "number-ours", S::UNPROCESSABLE_ENTITY, "This number is one of ours"),
    (Fault::NumberNotInPool, "number-not-in-pool", S::UNPROCESSABLE_ENTITY, "This number is not in the pool"),
    (
        Fault::CountryNotAllowed,
        "country-not-allowed",
        S::UNPROCESSABLE_ENTITY,
        "Numbers of this country are not taken",
    ),
    (Fault::DialsInvalid, "dials-invalid", S::UNPROCESSABLE_ENTITY, "These numbers cannot be dialled so"),
    (Fault::PartyNeeded, "party-needed", S::UNPROCESSABLE_ENTITY, "Two numbers need two parties"),
    (Fault::PairUnknown, "pair-unknown", S::NOT_FOUND, "There is no such pair"),
    (Fault::PairEnded, "pair-ended", S::CONFLICT, "The pair has ended"),
    (Fault::PairLive, "pair-live", S::CONFLICT, "The pair has not ended"),
    (Fault::PairChanged, "pair-changed", S::PRECONDITION_FAILED, "The pair was changed meanwhile"),
    (Fault::NoNumberFree, "no-number-free", S::CONFLICT, "No number is free for these phones"),
    (Fault::NumberBusy, "number-busy", S::CONFLICT, "This number is not free for these phones"),
    (Fault::MethodNotAllowed, "method-not-allowed", S::METHOD_NOT_ALLOWED, "This path has no such method"),
    (
        Fault::RangeNotSatisfiable,
        "range-not-satisfiable",
        S::RANGE_NOT_SATISFIABLE,
        "The recording has no such bytes",
    ),
    (Fault::PromptUnusable, "prompt-unusable", S::UNPROCESSABLE_ENTITY, "This recording cannot be a prompt"),
    (Fault::TextInvalid, "text-invalid", S::UNPROCESSABLE_ENTITY, "This text cannot be spoken"),
    (Fault::SpeechFailed, "speech-failed", S::SERVICE_UNAVAILABLE, "The text was not spoken"),
    (Fault::UpgradeNeeded, "upgrade-needed", S::UPGRADE_REQUIRED, "A WebSocket is spoken here"),
    (Fault::TooManyStreams, "too-many-streams", S::SERVICE_UNAVAILABLE, "Too many listen to events"),
    (Fault::Overloaded, "overloaded", S::SERVICE_UNAVAILABLE, "Too many requests are under way"),
    (Fault::StoreFailed, "store-failed", S::SERVICE_UNAVAILABLE, "The store failed"),
    (Fault::ServerSilent, "server-silent", S::SERVICE_UNAVAILABLE, "The server did not answer in time"),
    (Fault::Internal, "internal", S::INTERNAL_SERVER_ERROR, "A fault of ours"),
];

impl Fault {
    #[cfg(test)]
    pub(crate) const ALL: [Self; ROWS.len()] = {
        let mut all = [Self::Internal; ROWS.len()];
        let mut place = 0;
        while place < ROWS.len() {
            all[place] = ROWS[place].0;
            place += 1;
        }
        all
    };

    fn row(self) -> (Self, &'static str, S, &'static str) {
        ROWS[self as usize]
    }

    /// The word programs branch on.
    pub(crate) fn word(self) -> &'static str {
        self.row().1
    }

    /// The HTTP status that goes with it.
    pub(crate) fn status(self) -> S {
        self.row().2
    }

    fn title(self) -> &'static str {
        self.row().3
    }
}

/// An error answer.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) fault: Fault,
    pub(crate) detail: String,
    pub(crate) field: Option<String>,
    /// Boxed because few problems have one and every answer is as large as its problem.
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Problem {
    /// `detail` is for a person and says what would be right.
    pub(crate) fn new(fault: Fault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into(), field: None, header: None }
    }

    /// Names the field or parameter at fault, dotted: `courier.number`.
    pub(crate) fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, status, title) = (self.fault.word(), self.fault.status(), self.fault.title());
        let document = Document {
            r#type: format!("urn:bauta:problem:{code}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            code,
            field: self.field.as_deref(),
        };
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == S::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        if let Some((name, value)) = self.header.map(|header| *header) {
            headers.insert(name, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_fault_stands_at_its_place() {
        for (place, (fault, ..)) in ROWS.into_iter().enumerate() {
            assert_eq!(fault as usize, place, "{fault:?}");
        }
        assert_eq!(Fault::Internal as usize, ROWS.len() - 1);
    }

    #[test]
    fn every_fault_has_a_word_of_its_own_and_an_error_status() {
        let words: BTreeSet<&str> = Fault::ALL.iter().map(|fault| fault.word()).collect();
        assert_eq!(words.len(), Fault::ALL.len());
        for fault in Fault::ALL {
            let status = fault.status();
            assert!(status.is_client_error() || status.is_server_error(), "{fault:?}");
        }
    }
}
