//! `[[trunk]]`: who we are there, and whether it is told where we are.

use std::sync::Arc;
use std::time::Duration;

use ::sip::{Scheme, Uri};
use b2bua::{Credentials, Registration};

use super::address::Destination;
use super::secret::{self, Keys};
use super::value;
use super::walk::{Section, Walk};

static PASSWORD: Keys = Keys { plain: "password", environment: "password_env", file: "password_file" };

static INBOUND: Keys =
    Keys { plain: "inbound_password", environment: "inbound_password_env", file: "inbound_password_file" };

/// What whoever calls in by a trunk must prove to know, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inbound {
    /// The account, and whether MD5 will do.
    pub(crate) credentials: Arc<Credentials>,
    /// Whether SHA-256 will do.
    pub(crate) sha256: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Sha256,
    Md5,
}

const ALGORITHMS: &[(&str, Result<Algorithm, &str>)] =
    &[("sha-256", Ok(Algorithm::Sha256)), ("md5", Ok(Algorithm::Md5))];

/// Who we are at a trunk.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Account {
    /// What its challenges are answered with.
    pub(super) credentials: Option<Credentials>,
    /// Its address of record: `sip:user@host`.
    pub(super) aor: Option<String>,
    /// What is registered there.
    pub(super) registration: Option<Registration>,
}

/// `destination`: where the trunk is, as far as that could be read.
pub(super) fn read<'d>(
    walk: &mut Walk<'d>,
    section: &Section<'d>,
    destination: Option<&Destination>,
) -> Account {
    let username = walk.get(section, "username", value::text);
    let realm = walk.get(section, "realm", value::text);
    let md5 = walk.get(section, "md5", value::flag).or(true);
    let register = walk.get(section, "register", value::flag).or(false);
    let second = Duration::from_secs(1);
    let range = second * 60..=second * 86_400;
    let expires = walk.get(section, "register_expires", |value| value::duration(value, range));
    let expires = expires.or(second * 600).as_secs();
    let aor = walk.get(section, "aor", |value| aor(&value::text(value)?)).ok();
    if !register {
        senseless(walk, section, &["register_expires"], "register = true");
    }
    if !section.has("username") {
        senseless(walk, section, &["password", "password_env", "password_file", "realm", "md5"], "username");
        if register && aor.is_none() {
            let text = "as whom? Write username and password as the carrier gave them";
            walk.fault(section.place("register"), text);
        }
    }
    let password = section.has("username").then(|| secret::given(walk, section, &PASSWORD)).flatten();
    let username = username.ok();
    let aor = aor.or_else(|| {
        // Known by its user at its own host, unless something else is written.
        let (user, host) = (username.as_ref()?, destination?.host_in_uri());
        let usual = self::aor(&format!("sip:{user}@{host}"));
        if usual.is_err() && register && !section.has("aor") {
            let text = "cannot stand in an address; write aor = \"sip:user@host\" as well";
            walk.fault(section.place("username"), text);
        }
        usual.ok()
    });
    let credentials = username.zip(password).map(|(username, password)| Credentials {
        username: username.into(),
        password: password.into(),
        realm: realm.ok().map(Into::into),
        md5,
    });
    let expires = u32::try_from(expires).expect("the range ends at a day");
    let registered = aor.as_deref().filter(|_| register);
    let registration = registered.map(|aor| Registration { aor: aor.into(), expires });
    Account { credentials, aor, registration }
}

/// What whoever calls in by this trunk must prove to know.
pub(super) fn inbound<'d>(walk: &mut Walk<'d>, section: &Section<'d>, account: &Account) -> Option<Inbound> {
    let algorithms = walk.list(section, "inbound_algorithms", |value| value::word(value, ALGORITHMS));
    let algorithms = algorithms.or(vec![Algorithm::Sha256, Algorithm::Md5]);
    if algorithms.is_empty() {
        walk.fault(section.place("inbound_algorithms"), "is empty: nothing could be proved");
    }
    if !section.has("inbound_username") {
        let keys =
            ["inbound_password", "inbound_password_env", "inbound_password_file", "inbound_algorithms"];
        senseless(walk, section, &keys, "inbound_username");
        return None;
    }
    if account.registration.is_some() {
        let text = "a carrier at which is registered does not answer challenges; keep one of the two";
        walk.fault(section.place("inbound_username"), text);
    }
    let username = walk.get(section, "inbound_username", value::text).ok();
    let password = secret::needed(walk, section, &INBOUND).map(|(password, _)| password);
    let (username, password) = username.zip(password)?;
    let md5 = algorithms.contains(&Algorithm::Md5);
    let known = Credentials { username: username.into(), password: password.into(), realm: None, md5 };
    Some(Inbound { credentials: Arc::new(known), sha256: algorithms.contains(&Algorithm::Sha256) })
}

fn senseless<'d>(walk: &mut Walk<'d>, section: &Section<'d>, keys: &[&str], without: &str) {
    for key in keys.iter().filter(|key| section.has(key)) {
        walk.fault(section.place(key), format!("means nothing without {without}"));
    }
}

/// An address of record: `sip:user@host`, nothing else.
fn aor(text: &str) -> Result<String, String> {
    let wrong = || {
        format!("{:?} is no address of record; write it such as \"sip:user@host\"", value::shortened(text))
    };
    let uri = Uri::parse(text).map_err(|_| wrong())?;
    let parts = uri.parts();
    let plain = parts.scheme() == Scheme::Sip
        && parts.user().is_some_and(|user| !user.is_empty())
        && parts.password().is_none()
        && !parts.has_headers()
        && parts.params().iter().next().is_none();
    if plain { Ok(text.to_owned()) } else { Err(wrong()) }
}
