//! The configuration: one TOML file, read to its end whatever is wrong, so that all faults are told at once.
//!
//! Each section has a file here with its keys, its type, and what it must be by itself; [`cross`] has what
//! sections must agree on. `pieces` cuts what came out into what each part of the server wants.

mod account;
mod address;
mod console;
mod cross;
pub(crate) mod duration;
mod hook;
mod http;
mod identity;
mod keeping;
mod line;
mod media;
mod node;
mod notices;
mod pieces;
mod policy;
mod pool;
mod profile;
mod prompts;
mod recordings;
mod reload;
mod remark;
mod secret;
mod shown;
mod sip;
mod speech;
mod trace;
mod trunk;
mod value;
mod walk;
mod webhook;
mod xdp;

use std::path::Path;

use toml::de::DeTable;

pub(crate) use self::sip::Sip;
pub(crate) use address::{Destination, Listener};
pub(crate) use console::Console;
pub(crate) use http::{Http, Listen};
pub(crate) use keeping::{Numbers, Retention};
pub(crate) use line::{Hooked, Line, Operator, Service};
pub(crate) use media::Media;
pub(crate) use node::Node;
pub(crate) use notices::Notices;
pub(crate) use policy::Policy;
pub(crate) use pool::Pool;
pub(crate) use prompts::Prompts;
pub(crate) use recordings::{Recording, key_from_file};
pub(crate) use remark::{Position, Remark};
pub(crate) use shown::Shown;
pub(crate) use trunk::Trunk;
pub(crate) use walk::Environment;
pub(crate) use webhook::Webhook;

use crate::trace::{Homer, Limits};
use crate::verifier::Files;
use walk::{Schema, Walk};

/// Octets of a configuration file: more is some other file.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Every section.
const SECTIONS: &[&Schema] = &[
    &node::SCHEMA,
    &sip::SCHEMA,
    &media::SCHEMA,
    &trunk::SCHEMA,
    &line::SCHEMA,
    &pool::SCHEMA,
    &policy::SCHEMA,
    &prompts::SCHEMA,
    &keeping::STORE,
    &http::SCHEMA,
    &console::SCHEMA,
    &webhook::SCHEMA,
    &notices::SCHEMA,
    &recordings::SCHEMA,
    &keeping::PRIVACY,
    &trace::SCHEMA,
    &identity::SCHEMA,
    &hook::SCHEMA,
    &speech::SCHEMA,
];

/// A configuration in which nothing is at fault.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checked {
    /// As it is shown to people.
    pub(crate) shown: Shown,
    pub(crate) node: Node,
    pub(crate) sip: Sip,
    pub(crate) media: Media,
    /// In the order `ua::TrunkId` counts them.
    pub(crate) trunks: Vec<Trunk>,
    pub(crate) lines: Vec<Line>,
    pub(crate) pool: Pool,
    /// What holds over all lines.
    pub(crate) policy: Policy,
    pub(crate) prompts: Prompts,
    pub(crate) http: Http,
    /// What people use in a browser.
    pub(crate) console: Console,
    pub(crate) webhooks: Vec<Webhook>,
    /// How the parties of a new order are told which number to dial.
    pub(crate) notices: Option<Notices>,
    pub(crate) recording: Recording,
    /// How numbers stand in records, events and logs.
    pub(crate) numbers: Numbers,
    /// How long what is known of calls is kept.
    pub(crate) retention: Retention,
    /// Which SIP messages are kept to be looked at.
    pub(crate) trace: Limits,
    /// Whom messages are told besides.
    pub(crate) homer: Option<Homer>,
    /// Whom we believe of who calls, where anything is verified.
    pub(crate) identity: Option<Files>,
    /// Who is asked what to do with calls.
    pub(crate) hooks: Vec<crate::hook::Settings>,
    /// What makes prompts of texts.
    pub(crate) speech: crate::speech::Settings,
}

/// What reading a configuration came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The configuration, or all its faults in the order of the file.
    pub(crate) checked: Result<Checked, Vec<Remark>>,
    /// What works and may still not be meant.
    pub(crate) warnings: Vec<Remark>,
}

/// Reads and checks a file, with secrets from this process's environment. Opens no socket.
pub(crate) fn load(file: &Path) -> Outcome {
    match text(file) {
        Ok(text) => parse(&text, file, &|name| std::env::var(name).ok()),
        Err(why) => {
            let text = format!("cannot be read: {why}; --config names another file");
            let remark =
                Remark { file: file.display().to_string(), position: None, key: String::new(), text };
            Outcome { checked: Err(vec![remark]), warnings: Vec::new() }
        }
    }
}

fn text(file: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let mut octets = Vec::new();
    let opened = std::fs::File::open(file).map_err(|error| error.to_string())?;
    opened.take(LONGEST + 1).read_to_end(&mut octets).map_err(|error| error.to_string())?;
    if octets.len() as u64 > LONGEST {
        return Err(format!("it has more than {} MiB", LONGEST >> 20));
    }
    String::from_utf8(octets).map_err(|_| "it is not UTF-8".to_owned())
}

/// Checks a text. `file` is its name in remarks.
pub(crate) fn parse(text: &str, file: &Path, environment: Environment<'_>) -> Outcome {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Outcome { checked: Err(syntax(&errors, text, file)), warnings: Vec::new() };
    }
    let mut walk = Walk::new(environment);
    let checked = checked(&mut walk, document.get_ref());
    let (faults, warnings) = walk.remarks(text, file);
    let checked = checked.filter(|_| faults.is_empty()).ok_or(faults);
    let checked = checked.map(|checked| Checked { shown: Shown::of(text), ..checked });
    Outcome { checked, warnings }
}

/// What is no TOML cannot be checked for anything else. The same on one line after the other is one fault: a
/// bracket that is never closed is found missing on each.
fn syntax(errors: &[toml::de::Error], text: &str, file: &Path) -> Vec<Remark> {
    let place = |error: &toml::de::Error| Position::of(text, error.span().map_or(0, |span| span.start));
    let mut errors: Vec<_> = errors.iter().map(|error| (place(error), error.message())).collect();
    errors.sort_unstable();
    errors.dedup_by_key(|(position, _)| position.line);
    let mut last: Option<(usize, &str)> = None;
    let mut remarks = Vec::new();
    for (position, message) in errors {
        let follows = last == Some((position.line - 1, message));
        last = Some((position.line, message));
        if !follows {
            remarks.push(Remark {
                file: file.display().to_string(),
                position: Some(position),
                key: String::new(),
                text: format!("is no TOML here: {message}"),
            });
        }
    }
    remarks
}

/// `None` only where a fault was noted.
fn checked<'d>(walk: &mut Walk<'d>, document: &'d DeTable<'d>) -> Option<Checked> {
    let root = walk.root(document, SECTIONS);
    let node = node::read(walk, &root);
    let (sip_section, sip) = sip::read(walk, &root);
    let (media_section, media) = media::read(walk, &root, &sip);
    let prompts = prompts::read(walk, &root, &node.data_dir);
    let trunks = trunk::read(walk, &root, node.plan);
    let policy = policy::read(walk, &root);
    let lines = line::read(walk, &root, node.plan, &policy);
    let pool = pool::read(walk, &root);
    let http = http::read(walk, &root, node.plan);
    let console = console::read(walk, &root);
    let webhooks = webhook::read(walk, &root);
    let notices = notices::read(walk, &root, node.plan);
    keeping::store(walk, &root);
    let recording = recordings::read(walk, &root, &node.data_dir);
    let (numbers, retention) = keeping::privacy(walk, &root);
    let (trace, homer) = trace::read(walk, &root, &node.name);
    let identity = identity::read(walk, &root);
    let hooks = hook::read(walk, &root);
    let speech = speech::read(walk, &root, &node.data_dir);

    cross::trunks(walk, &trunks, &sip);
    cross::verified(walk, &trunks, &lines, root.has("identity"));
    let places = cross::lines(walk, &lines, &trunks);
    cross::hooks(walk, &lines, hooks.as_deref(), &speech);
    cross::services(walk, &lines);
    let numbers_of_lines: Vec<_> = lines.iter().flat_map(|line| line.numbers.clone()).collect();
    notices::check(walk, &root, notices.as_ref(), &numbers_of_lines);
    cross::sockets(walk, (&sip_section, &sip), (&media_section, &media), &http);

    let lines = lines.into_iter().zip(places).map(|(line, trunk)| line.finish(trunk));
    let lines = lines.collect::<Option<Vec<_>>>()?.concat();
    let trunks = trunks.into_iter().map(trunk::Draft::finish).collect::<Option<_>>()?;
    Some(Checked {
        shown: Shown::default(),
        node,
        sip,
        media,
        trunks,
        lines,
        pool,
        policy,
        prompts,
        http,
        console,
        webhooks: webhooks?,
        notices,
        recording,
        numbers,
        retention,
        trace,
        homer,
        identity,
        hooks: hooks?,
        speech,
    })
}

#[cfg(test)]
mod tests;
