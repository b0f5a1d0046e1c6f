//! `/v1/session`: people sign in at the console with a password or a token, and from then on their browser proves who they are by a
//! cookie. What the cookie says is kept nowhere but with the browser.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hmac::{Hmac, Mac};
use number::Number;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{NewAudit, SignIn, Store, StoreError, Timestamp};
use subtle::ConstantTimeEq;

use crate::body;
use crate::gate::Gate;
use crate::interface::Settings;
use crate::origin::Origin;
use crate::problem::{Fault, Problem};
use crate::token::{self, Caller, Role, Token};
use crate::user::User;
use crate::webhooks::hex;

/// The cookie.
const COOKIE: &str = "bauta_session";
/// The header that a page of ours sends and a foreign one cannot know.
const CSRF: &str = "bauta-csrf";
/// That somebody is there is written down no more often.
const USED: Duration = Duration::from_secs(60);

/// Somebody the configuration knows, and what they may.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) caller: Caller,
    pub(crate) name: Arc<str>,
    pub(crate) requests_per_second: Option<u32>,
    /// Their own telephone.
    number: Option<Number>,
    /// Everything the configuration says of them.
    proof: [u8; 32],
}

impl Person {
    pub(crate) fn of_token(token: &Token) -> Self {
        Self {
            caller: token.caller(),
            name: Arc::clone(token.name()),
            requests_per_second: token.requests_per_second(),
            number: None,
            proof: token.proof(),
        }
    }

    /// The right of a token.
    pub(crate) fn right(&self) -> Right {
        Right::Token(self.proof)
    }

    fn of_user(user: &User) -> Self {
        let proof = user.proof();
        Self {
            caller: Caller { role: user.role(), digest: proof, may_reveal: user.may_reveal() },
            name: Arc::clone(user.name()),
            requests_per_second: None,
            number: user.number(),
            proof,
        }
    }
}

/// By what somebody was let in, so that it can be asked again whether they still would be.
#[derive(Debug, Clone)]
pub(crate) enum Right {
    /// A token of which this is said.
    Token([u8; 32]),
    /// Having signed in under this name.
    SignIn([u8; 32]),
}

impl Right {
    /// Whether they still would. Asking counts as a sign of them.
    pub(crate) async fn holds(&self, gate: &Gate) -> bool {
        match self {
            Self::Token(proof) => gate.settings().tokens.iter().any(|token| token.proof() == *proof),
            Self::SignIn(id) => still(gate, *id).await.is_ok_and(|found| found.is_some()),
        }
    }
}

/// Everyone who may sign in.
fn people(settings: &Settings) -> impl Iterator<Item = Person> {
    let tokens = settings.tokens.iter().filter(|token| signs_in(token.role())).map(Person::of_token);
    settings.users.iter().map(Person::of_user).chain(tokens)
}

/// Tokens of programs stay with programs.
fn signs_in(role: Role) -> bool {
    matches!(role, Role::Admin | Role::Operator)
}

/// What everyone who may sign in proves; whoever proves something else is signed out.
pub(crate) fn proofs(settings: &Settings) -> Vec<[u8; 32]> {
    people(settings).filter(|_| settings.console.enabled).map(|person| person.proof).collect()
}

/// What a browser shows: 256 bits by chance, in hexadecimal.
#[derive(Clone)]
struct Cookie(String);

impl Cookie {
    fn new() -> Self {
        let mut octets = [0; 32];
        ChaCha20Rng::from_os_rng().fill_bytes(&mut octets);
        Self(hex(&octets))
    }

    /// The one that came. Of two, one is somebody else's work, and which cannot be told.
    fn presented(headers: &HeaderMap) -> Option<Self> {
        let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut ours = all
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == COOKIE);
        let (_, value) = ours.next().filter(|_| ours.next().is_none())?;
        let plain = value.len() == 64 && value.bytes().all(|octet| octet.is_ascii_hexdigit());
        plain.then(|| Self(value.to_owned()))
    }

    fn id(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    /// What a page has to send with each change. It follows from the cookie, which no page can read.
    fn csrf(&self) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("HMAC takes a key of any length");
        mac.update(b"csrf");
        hex(&mac.finalize().into_bytes())
    }

    fn set(&self, kept: Duration, https: bool) -> HeaderValue {
        let secure = if https { "; Secure" } else { "" };
        let age = kept.as_secs();
        let text = format!("{COOKIE}={}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}", self.0);
        let mut value = HeaderValue::from_str(&text).expect("hexadecimal digits and plain words");
        value.set_sensitive(true);
        value
    }
}

/// Somebody who is signed in, for as long as a request takes.
#[derive(Clone)]
pub(crate) struct SignedIn {
    pub(crate) person: Person,
    id: [u8; 32],
    cookie: Cookie,
    expires_at: Timestamp,
}

/// Whose cookie came with a request; `None` if none did.
pub(crate) async fn find(gate: &Gate, headers: &HeaderMap) -> Result<Option<SignedIn>, Problem> {
    let settings = gate.settings();
    if !settings.console.enabled {
        return Ok(None);
    }
    let Some(cookie) = Cookie::presented(headers) else { return Ok(None) };
    let id = cookie.id();
    let found = still(gate, id).await?;
    Ok(found.map(|(person, expires_at)| SignedIn { person, id, cookie, expires_at }))
}

/// Who is signed in under this name and until when, if their time is not over and the configuration still knows them. They are at work.
pub(crate) async fn still(gate: &Gate, id: [u8; 32]) -> Result<Option<(Person, Timestamp)>, Problem> {
    let settings = gate.settings();
    let now = Timestamp::from(SystemTime::now());
    let Some(kept) = gate.store(move |store| store.sign_in(&id)).await? else { return Ok(None) };
    let person = people(&settings).find(|person| person.proof == kept.proof);
    let in_time = now < kept.expires_at && now < kept.used_at.after(settings.console.idle);
    let Some(person) = person.filter(|_| in_time && settings.console.enabled) else {
        gate.store(move |store| store.end_sign_in(id)).await?;
        return Ok(None);
    };
    if now.since(kept.used_at) >= USED {
        gate.store(move |store| store.use_sign_in(id, now)).await?;
    }
    Ok(Some((person, kept.expires_at)))
}

impl SignedIn {
    /// Refuses a change that does not come with what only a page of ours knows.
    pub(crate) fn check_csrf(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let sent = headers.get(CSRF).map(HeaderValue::as_bytes).unwrap_or_default();
        if bool::from(sent.ct_eq(self.cookie.csrf().as_bytes())) {
            return Ok(());
        }
        let detail = "with the cookie send Bauta-Csrf as GET /v1/session tells it";
        Err(Problem::new(Fault::CsrfMissing, detail))
    }

    pub(crate) fn right(&self) -> Right {
        Right::SignIn(self.id)
    }

    fn view(&self, settings: &Settings) -> SessionView {
        let Person { caller, name, number, .. } = &self.person;
        SessionView {
            name: name.to_string(),
            role: caller.role.word(),
            may_reveal: caller.may_reveal,
            number: number.map(|number| number.to_string()),
            expires_at: self.expires_at,
            csrf: self.cookie.csrf(),
            card: settings.console.card,
            title: settings.console.title.clone(),
        }
    }
}

/// A session as it is answered.
#[derive(Serialize)]
pub(crate) struct SessionView {
    name: String,
    role: &'static str,
    may_reveal: bool,
    number: Option<String>,
    expires_at: Timestamp,
    csrf: String,
    card: bool,
    title: String,
}

/// The body of `POST /v1/session`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionBody {
    token: Option<String>,
    user: Option<String>,
    password: Option<String>,
}

/// What somebody says to be known by.
enum Shown {
    Token(String),
    Password { user: String, password: String },
}

impl SessionBody {
    fn shown(self) -> Result<Shown, Problem> {
        let missing = |field| {
            let detail = "give a token, or a user and a password";
            Problem::new(Fault::MissingField, detail).at(field)
        };
        match (self.token, self.user, self.password) {
            (Some(token), None, None) => Ok(Shown::Token(token)),
            (None, Some(user), Some(password)) => Ok(Shown::Password { user, password }),
            (None, Some(_), None) => Err(missing("password")),
            (None, None, Some(_)) => Err(missing("user")),
            (None, None, None) => Err(missing("token")),
            (Some(_), ..) => {
                Err(Problem::new(Fault::UnknownField, "a token stands alone: leave user and password out")
                    .at("token"))
            }
        }
    }
}

/// `POST /v1/session`
pub(crate) async fn begin(
    State(gate): State<Gate>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let settings = gate.settings();
    if !settings.console.enabled {
        return Err(Problem::new(Fault::NoSuchPath, "console.enabled is false"));
    }
    origin.check_site(&headers)?;
    let shown = body::json::<SessionBody>(&headers, &body)?.shown()?;
    let person = admitted(&gate, &settings, &origin, shown).await?;
    let before = Cookie::presented(&headers).map(|cookie| cookie.id());
    let cookie = Cookie::new();
    let now = Timestamp::from(SystemTime::now());
    let kept = SignIn {
        id: cookie.id(),
        proof: person.proof,
        created_at: now,
        used_at: now,
        expires_at: now.after(settings.console.session),
    };
    let (expires_at, who) = (kept.expires_at, person.name.to_string());
    let entry = noted(&origin, who, "session.begun", StatusCode::CREATED);
    gate.store(move |store| keep(store, kept, before, entry)).await?;
    gate.sign_ins_changed();
    let set = cookie.set(settings.console.session, origin.https);
    let signed_in = SignedIn { id: cookie.id(), person, cookie, expires_at };
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, set)], Json(signed_in.view(&settings))).into_response())
}

/// With it ends what the browser was signed in by before.
fn keep(store: &Store, kept: SignIn, before: Option<[u8; 32]>, entry: NewAudit) -> Result<(), StoreError> {
    let batch = store::Batch::new().put_sign_in(kept).audit(entry);
    let batch = before.into_iter().fold(batch, store::Batch::end_sign_in);
    store.apply(batch).map(|_| ())
}

/// Who that is, if it is anybody. To whoever guesses, all that is wrong looks the same.
async fn admitted(
    gate: &Gate,
    settings: &Settings,
    origin: &Origin,
    shown: Shown,
) -> Result<Person, Problem> {
    let name = match &shown {
        Shown::Token(_) => None,
        Shown::Password { user, .. } => Some(user.as_str()),
    };
    let attempt = gate.attempts().begin(origin.address, name).map_err(too_often)?;
    let person = match &shown {
        Shown::Token(token) => token::find(&settings.tokens, token).map(Person::of_token),
        Shown::Password { user, password } => {
            let user = gate.attempts().check(&settings.users, user, password).await?;
            user.as_ref().map(Person::of_user)
        }
    };
    let Some(person) = person else {
        // A name that nobody has may be a password in the wrong field.
        let known = name.filter(|name| settings.users.iter().any(|user| **user.name() == **name));
        let who = known.unwrap_or("unknown").to_owned();
        tracing::warn!(address = %origin.address, user = who, "signing in failed");
        let entry = noted(origin, who, "session.refused", StatusCode::UNAUTHORIZED);
        gate.store(move |store| store.append_audit(entry)).await?;
        let challenge = HeaderValue::from_static("Bearer realm=\"bauta\"");
        return Err(Problem::new(Fault::LoginFailed, "neither the one nor the other is told to be wrong")
            .with_header(header::WWW_AUTHENTICATE, challenge));
    };
    gate.attempts().forgive(&attempt);
    if signs_in(person.caller.role) {
        return Ok(person);
    }
    let detail =
        format!("role {} is for programs; the console is for admin and operator", person.caller.role);
    Err(Problem::new(Fault::Forbidden, detail))
}

fn too_often(wait: Duration) -> Problem {
    let seconds = HeaderValue::from(wait.as_secs() + 1);
    Problem::new(Fault::LoginTooOften, "this address or user failed too often; wait as Retry-After says")
        .with_header(header::RETRY_AFTER, seconds)
}

fn noted(origin: &Origin, who: String, what: &'static str, status: StatusCode) -> NewAudit {
    NewAudit {
        at: SystemTime::now().into(),
        who,
        what,
        subject: Some(origin.address.to_string()),
        number: None,
        status: status.as_u16(),
    }
}

fn not_signed_in() -> Problem {
    let challenge = HeaderValue::from_static("Bearer realm=\"bauta\"");
    Problem::new(Fault::Unauthorized, "there is no session: POST /v1/session begins one")
        .with_header(header::WWW_AUTHENTICATE, challenge)
}

/// `GET /v1/session`
pub(crate) async fn get(
    State(gate): State<Gate>,
    signed_in: Option<Extension<SignedIn>>,
) -> Result<Json<SessionView>, Problem> {
    let Extension(signed_in) = signed_in.ok_or_else(not_signed_in)?;
    Ok(Json(signed_in.view(&gate.settings())))
}

/// `DELETE /v1/session`
pub(crate) async fn end(
    State(gate): State<Gate>,
    Extension(origin): Extension<Origin>,
    signed_in: Option<Extension<SignedIn>>,
) -> Result<Response, Problem> {
    let Extension(SignedIn { id, .. }) = signed_in.ok_or_else(not_signed_in)?;
    gate.store(move |store| store.end_sign_in(id)).await?;
    gate.sign_ins_changed();
    let gone = Cookie(String::new()).set(Duration::ZERO, origin.https);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presented(cookies: &[&str]) -> bool {
        let headers = cookies.iter().map(|value| (header::COOKIE, value.parse().unwrap()));
        Cookie::presented(&headers.collect()).is_some()
    }

    #[test]
    fn a_cookie_is_found_among_others_and_never_of_two() {
        let ours = format!("bauta_session={}", "a".repeat(64));
        assert!(presented(&[&ours]));
        assert!(presented(&[&format!("theme=dark; {ours}; x=y")]));
        assert!(!presented(&[&format!("{ours}; {ours}")]));
        assert!(!presented(&[&ours, &ours]));
        for wrong in [
            "",
            "bauta_session=",
            "bauta_session=abc",
            "bauta_sessio=1",
            &format!("x{ours}"),
            &format!("{ours}a"),
        ] {
            assert!(!presented(&[wrong]), "{wrong}");
        }
    }

    #[test]
    fn what_a_page_sends_does_not_tell_the_cookie() {
        let (one, other) = (Cookie::new(), Cookie::new());
        assert_ne!(one.0, other.0);
        assert_eq!(one.csrf(), one.clone().csrf());
        assert_ne!(one.csrf(), other.csrf());
        assert!(one.csrf() != one.0 && one.csrf() != hex(&one.id()));
    }
}
