//! `media.backend`, `media.interfaces`, `media.xdp_mode`: how packets are moved, and at which cards the kernel does it.

use relay::{AtCards, Cards, Hook, Io};
use toml::de::DeValue;

use super::value;
use super::walk::{Section, Walk};

/// What `media.backend` may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Workers(Io),
    /// By workers, as frames from cards; where that cannot be, as with "auto".
    Frames,
    /// Plain calls by the kernel, all others as with "auto".
    Kernel,
}

const BACKENDS: &[(&str, Result<Backend, &str>)] = &[
    ("auto", Ok(Backend::Workers(Io::Auto))),
    ("epoll", Ok(Backend::Workers(Io::Epoll))),
    ("io_uring", Ok(Backend::Workers(Io::IoUring))),
    ("af_xdp", Ok(Backend::Frames)),
    ("xdp", Ok(Backend::Kernel)),
];

const MODES: &[(&str, Result<Hook, &str>)] =
    &[("auto", Ok(Hook::Auto)), ("native", Ok(Hook::Native)), ("generic", Ok(Hook::Generic))];

/// How packets are moved.
pub(super) struct Moved {
    pub(super) backend: Io,
    pub(super) shortcuts: Option<AtCards>,
    pub(super) lanes: Option<AtCards>,
}

pub(super) fn read<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Moved {
    let backend =
        walk.get(section, "backend", |value| value::word(value, BACKENDS)).or(Backend::Workers(Io::Auto));
    let names = walk.list(section, "interfaces", interface).or(Vec::new());
    let hook = walk.get(section, "xdp_mode", |value| value::word(value, MODES)).or(Hook::Auto);
    let cards = if names.is_empty() { Cards::OfAddresses } else { Cards::Named(names) };
    let at = AtCards { cards, hook };
    match backend {
        Backend::Workers(backend) => {
            for key in ["interfaces", "xdp_mode"] {
                if section.has(key) {
                    let text = "changes nothing while media.backend is neither \"af_xdp\" nor \"xdp\"";
                    walk.warn(section.place(key), text);
                }
            }
            Moved { backend, shortcuts: None, lanes: None }
        }
        Backend::Frames => Moved { backend: Io::Auto, shortcuts: None, lanes: Some(at) },
        Backend::Kernel => Moved { backend: Io::Auto, shortcuts: Some(at), lanes: None },
    }
}

/// As Linux takes them: up to 15 octets, no slash, no blank.
fn interface(value: &DeValue<'_>) -> Result<String, String> {
    let text = value::text(value)?;
    let is_name =
        (1..=15).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'/');
    if is_name {
        Ok(text)
    } else {
        Err(format!(
            "{:?} is no network interface; write its name, such as \"eth0\"",
            value::shortened(&text)
        ))
    }
}
