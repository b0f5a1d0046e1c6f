//! `[http]`, `[[http.token]]` and `[[http.user]]`: the API and who may use it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use api::Role;
use b2bua::Network;
use number::Plan;
use toml::de::DeValue;

use super::secret::{self, Keys};
use super::value;
use super::walk::{Schema, Section, Walk};
use crate::signalling::Proof;

pub(super) const SCHEMA: Schema = Schema {
    name: "http",
    keys: &["listen", "certificate_file", "key_file", "proxies", "token", "user"],
    refused: &[
        ("tls", "listen on https://, and write certificate_file and key_file"),
        ("certificate", "keys do not stand in this file; write certificate_file and key_file"),
        ("key", "keys do not stand in this file; write certificate_file and key_file"),
    ],
};

pub(super) const TOKEN: Schema = Schema {
    name: "http.token",
    keys: &["name", "role", "token", "token_env", "token_file", "requests_per_second"],
    refused: &[],
};

pub(super) const USER: Schema = Schema {
    name: "http.user",
    keys: &["name", "password_hash", "role", "reveal", "number"],
    refused: &[(
        "password",
        "passwords do not stand in this file: write password_hash, which `bauta password` makes",
    )],
};

const SECRET: Keys = Keys { plain: "token", environment: "token_env", file: "token_file" };

/// What the example's token begins with: everybody knows it.
const EXAMPLE: &str = "change-me";

/// `[http]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Http {
    /// Where it is answered; none: no API.
    pub(crate) listen: Vec<Listen>,
    /// What HTTPS is made of, where it is listened for.
    pub(crate) proof: Option<Proof>,
    /// Who may use it.
    pub(crate) tokens: Vec<Token>,
    /// Who signs in at the console.
    pub(crate) users: Vec<api::User>,
    /// Who is believed to say for whom they ask.
    pub(crate) proxies: Vec<Network>,
}

/// An address of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listen {
    pub(crate) address: SocketAddr,
    /// Whether HTTPS is spoken there, and nothing else.
    pub(crate) https: bool,
}

/// `[[http.token]]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    /// Its name for people.
    pub(crate) name: String,
    /// The token as the API knows it, without the secret.
    pub(crate) token: api::Token,
}

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>, plan: Plan) -> Http {
    let section = walk.section(root, &SCHEMA);
    let default = Listen { address: SocketAddr::from(([127, 0, 0, 1], 8080)), https: false };
    let listen = walk.list(&section, "listen", listen).or(vec![default]);
    for (index, Listen { address, https }) in listen.iter().enumerate() {
        if listen[..index].iter().any(|other| other.address == *address) {
            walk.fault(section.element("listen", index), format!("{address} is listened on twice"));
        } else if !address.ip().is_loopback() && !https {
            let text = format!(
                "tokens, passwords and numbers cross the network unencrypted to {address}: write \"https://{address}\", or put a proxy with TLS in front"
            );
            walk.warn(section.element("listen", index), text);
        }
    }
    let proof = proof(walk, &section, &listen);
    let local = listen.iter().all(|listen| listen.address.ip().is_loopback());
    let tokens = tokens(walk, &section, local);
    if !listen.is_empty() && !section.has("token") {
        walk.warn(section.here(), "no [[http.token]]: nobody can put orders");
    }
    let users = users(walk, &section, plan);
    let proxies = walk.list(&section, "proxies", proxy).or(Vec::new());
    Http { listen, proof, tokens, users, proxies }
}

/// `127.0.0.1:8080` or `https://0.0.0.0:8443`.
fn listen(value: &DeValue<'_>) -> Result<Listen, String> {
    let text = value::text(value)?;
    match text.strip_prefix("https://") {
        None => Ok(Listen { address: value::socket_address(value)?, https: false }),
        Some(rest) => {
            let wrong = || {
                let text = value::shortened(&text);
                format!("{text:?} is no address to listen on; write it such as \"https://0.0.0.0:8443\"")
            };
            let address = rest.trim_end_matches('/').parse().map_err(|_| wrong())?;
            Ok(Listen { address, https: true })
        }
    }
}

/// Certificate and key, which must fit each other.
fn proof<'d>(walk: &mut Walk<'d>, section: &Section<'d>, listen: &[Listen]) -> Option<Proof> {
    let path = |walk: &mut Walk<'d>, key| walk.get(section, key, value::text).ok().map(PathBuf::from);
    let (certificate, key) = (path(walk, "certificate_file"), path(walk, "key_file"));
    let wanted = listen.iter().any(|listen| listen.https);
    for key in ["certificate_file", "key_file"] {
        match (wanted, section.has(key)) {
            (true, false) => {
                walk.fault(section.place(key), "is missing: who listens on https:// must prove who they are");
            }
            (false, true) => {
                walk.fault(section.place(key), "means nothing without an https:// address in http.listen");
            }
            (true, true) | (false, false) => {}
        }
    }
    let proof = Proof { certificate: certificate?, key: key? };
    if !wanted {
        return None;
    }
    if let Err(error) = proof.acceptor() {
        walk.fault(section.place("certificate_file"), error.to_string());
        return None;
    }
    secret::warn_if_open(walk, section, "key_file");
    Some(proof)
}

/// A proxy stands beside us: what strangers say of themselves is never believed.
fn proxy(value: &DeValue<'_>) -> Result<Network, String> {
    let network = value::network(value)?;
    let private = |first: [u8; 4], prefix| {
        let range = Network { address: first.into(), prefix };
        network.prefix >= prefix && network.address.is_ipv4() && range.contains(network.address)
    };
    let beside = match network.address {
        IpAddr::V4(_) => {
            [([127, 0, 0, 0], 8), ([10, 0, 0, 0], 8), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16)]
                .into_iter()
                .any(|(first, prefix)| private(first, prefix))
        }
        IpAddr::V6(v6) if v6.is_loopback() => true,
        // RFC 4193.
        IpAddr::V6(v6) => v6.is_unique_local() && network.prefix >= 7,
    };
    let far = "is no private or loopback network (RFC 1918, RFC 4193): anyone there could say to be anyone";
    if beside { Ok(network) } else { Err(far.to_owned()) }
}

fn users<'d>(walk: &mut Walk<'d>, section: &Section<'d>, plan: Plan) -> Vec<api::User> {
    let mut users: Vec<(String, api::User)> = Vec::new();
    for section in walk.sections(section, &USER) {
        let name = walk.needed(&section, "name", "write what they sign in with", value::name);
        let roles = [Role::Admin, Role::Operator].map(|role| (role.word(), Ok(role)));
        let role = walk
            .needed(&section, "role", "write \"admin\" or \"operator\"", |value| value::word(value, &roles));
        let reveal = walk.get(&section, "reveal", value::flag).or(false);
        let number = walk.get(&section, "number", |value| value::number(value, plan)).ok();
        let why = "write what `bauta password` prints";
        // Of a hash no message says anything.
        let user = walk.needed(&section, "password_hash", why, |value| {
            let hash = value::text(value)?;
            let (name, role) = (name.as_deref().unwrap_or_default(), role.unwrap_or(Role::Operator));
            api::User::new(name, &hash, role).map_err(|error| error.to_string())
        });
        let Some(name) = name else { continue };
        if users.iter().any(|(other, _)| *other == name) {
            walk.fault(section.place("name"), "another [[http.user]] has the same; each needs their own");
        }
        if let Some(user) = user.filter(|_| role.is_some()) {
            users.push((name, user.revealing(reveal).reached_at(number)));
        }
    }
    users.into_iter().map(|(_, user)| user).collect()
}

fn tokens<'d>(walk: &mut Walk<'d>, section: &Section<'d>, local: bool) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut secrets: Vec<String> = Vec::new();
    for section in walk.sections(section, &TOKEN) {
        let role =
            walk.needed(&section, "role", "write \"admin\", \"app\", \"operator\" or \"metrics\"", role);
        let name = walk.get(&section, "name", value::name).ok();
        let rate = |value: &DeValue<'_>| {
            let rate = value::integer(value, 1..=100_000)?;
            Ok(u32::try_from(rate).expect("at most 100 000"))
        };
        let rate = walk.get(&section, "requests_per_second", rate).ok();
        let Some((secret, key)) = secret::needed(walk, &section, &SECRET) else {
            continue;
        };
        if secrets.contains(&secret) {
            walk.fault(section.place(key), "another [[http.token]] has the same; each needs its own");
        }
        if secret.starts_with(EXAMPLE) {
            let text =
                "is the example's, which everybody knows; write one of your own (openssl rand -hex 24)";
            if local {
                walk.warn(section.place(key), text);
            } else {
                walk.fault(section.place(key), text);
            }
        }
        if let Some(role) = role {
            let name = name.unwrap_or_else(|| role.word().to_owned());
            let token = api::Token::new(&secret, role).named(&name).limited(rate);
            tokens.push(Token { name, token });
        }
        secrets.push(secret);
    }
    tokens
}

fn role(value: &DeValue<'_>) -> Result<Role, String> {
    value::word(value, &Role::ALL.map(|role| (role.word(), Ok(role))))
}
