//! Bridges whose packets the system's kernel sends on by itself, before it makes sockets of them (XDP): see
//! [`rtp::shortcut`] for which those are.
//!
//! A program at the network card looks each packet up by where it is going. Sockets stay bound and everything else comes up
//! to them, so that nothing but speed depends on it: where it cannot be had, or ends, packets come to the worker. It goes
//! with the process, however that ends.

mod netlink;
mod roads;
mod slot;
mod ways;

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;

use aya::maps::{HashMap, Map, MapData};
use aya::programs::{ProgramError, Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader};

pub(crate) use self::netlink::Card;
use self::netlink::Netlink;
pub(crate) use self::roads::Roads;
use self::slot::Slots;
pub(crate) use self::slot::octets;
pub(crate) use self::ways::Ways;

/// The program, made by `bpf/build`.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../bpf/shortcut.bpf.o");

/// At which network cards packets may be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cards {
    /// Those that have the media addresses; where sockets are bound to all addresses, the one that has the public address, or
    /// else the one that leads out.
    OfAddresses,
    /// These, by name.
    Named(Vec<String>),
}

/// Where at a card packets are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hook {
    /// In its driver where that can be, else behind it. A virtual cable has it behind the driver: inside it what is sent
    /// vanishes without a word unless the far end is made for it.
    #[default]
    Auto,
    /// In its driver: the fastest.
    Native,
    /// Behind its driver: works with every card.
    Generic,
}

/// Where packets are taken before the system makes sockets of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtCards {
    /// At which cards.
    pub cards: Cards,
    /// Where at them.
    pub hook: Hook,
}

/// Why the kernel takes no packets.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The system says no, for want of rights or of support.
    #[error(
        "{0}; it needs Linux 5.15, and CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (systemd: AmbientCapabilities=)"
    )]
    Refused(Box<dyn std::error::Error + Send + Sync>),
    /// A card cannot be used.
    #[error("at the network card {name}: {reason}")]
    Card {
        /// Its name.
        name: String,
        /// Why not.
        reason: String,
    },
    /// No card has a media address.
    #[error("no network card has a media address; name the cards in media.interfaces")]
    NoCard,
}

impl KernelError {
    pub(crate) fn refused(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Refused(error.into())
    }

    fn at(card: &Card, error: &ProgramError) -> Self {
        let is_taken = matches!(
            error,
            ProgramError::SyscallError(error) if error.io_error.raw_os_error() == Some(libc::EBUSY)
        );
        if is_taken {
            let reason = "another program is there already (ip link show)".to_owned();
            return Self::Card { name: card.name.clone(), reason };
        }
        Self::refused(format!("at the network card {}: {}", card.name, causes(error)))
    }
}

/// What the program is called in the object: frames look different in both places.
const NATIVE: &str = "native";
const GENERIC: &str = "generic";

/// The program at its cards. Dropping it takes it away.
pub(crate) struct Kernel {
    ebpf: Ebpf,
    slots: Arc<Slots>,
    cards: Arc<[Card]>,
}

impl Kernel {
    /// Puts the program at cards, with room for so many pairs of ports.
    pub(crate) fn start(
        shortcuts: &AtCards,
        sessions: &rtp::Settings,
        pairs: usize,
    ) -> Result<Self, KernelError> {
        let room = u32::try_from(pairs).map_err(KernelError::refused)?;
        let cards = chosen(&shortcuts.cards, sessions)?;
        let mut kernel = Self::load(room)?;
        for card in &cards {
            let hook = kernel.attach(card, shortcuts.hook)?;
            tracing::info!(card = card.name, hook, "the kernel sends plain calls on by itself");
        }
        kernel.cards = cards.into();
        Ok(kernel)
    }

    /// The program, at no card yet.
    fn load(room: u32) -> Result<Self, KernelError> {
        let ebpf = EbpfLoader::new()
            .map_max_entries("ways", room)
            .map_max_entries("slots", room)
            .load(OBJECT)
            .map_err(|error| KernelError::refused(causes(&error)))?;
        let array = match ebpf.map("slots") {
            Some(Map::Array(array)) => array,
            _ => return Err(KernelError::refused("the program has no slots")),
        };
        let slots = Slots::map(array.fd().as_fd(), room as usize).map_err(KernelError::refused)?;
        let mut kernel = Self { ebpf, slots: Arc::new(slots), cards: Arc::new([]) };
        for name in [NATIVE, GENERIC] {
            program(&mut kernel.ebpf, name)?.load().map_err(|error| KernelError::refused(causes(&error)))?;
        }
        Ok(kernel)
    }

    /// Puts the program at a card; says where.
    fn attach(&mut self, card: &Card, hook: Hook) -> Result<&'static str, KernelError> {
        let places = Places {
            native: NATIVE,
            generic: GENERIC,
            in_driver: hook == Hook::Native || hook == Hook::Auto && !card.is_veth,
            behind: hook != Hook::Native,
        };
        attach(&mut self.ebpf, card, &places)
    }

    /// The part of a worker: so many pairs of ports, from this slot on, on these addresses.
    pub(crate) fn ways(&self, first: usize, pairs: usize, addresses: &[IpAddr]) -> Result<Ways, KernelError> {
        let Some(Map::HashMap(map)) = self.ebpf.map("ways") else {
            return Err(KernelError::refused("the program has no ways"));
        };
        let descriptor = map.fd().as_fd().try_clone_to_owned().map_err(KernelError::refused)?;
        let map = MapData::from_fd(descriptor).map_err(KernelError::refused)?;
        let table = HashMap::try_from(Map::HashMap(map)).map_err(KernelError::refused)?;
        let first = u32::try_from(first).map_err(KernelError::refused)?;
        let roads = Roads::new(addresses).map_err(KernelError::refused)?;
        let (slots, cards) = (Arc::clone(&self.slots), Arc::clone(&self.cards));
        Ok(Ways::new(ways::Parts { table, slots, cards, first, pairs, roads }))
    }
}

pub(crate) fn program<'p>(ebpf: &'p mut Ebpf, name: &str) -> Result<&'p mut Xdp, KernelError> {
    let program = ebpf.program_mut(name);
    program
        .ok_or_else(|| KernelError::refused("there is no program"))?
        .try_into()
        .map_err(KernelError::refused)
}

/// Where a program may be put at a card.
pub(crate) struct Places {
    /// Which program it is in the driver, and which behind it.
    pub(crate) native: &'static str,
    pub(crate) generic: &'static str,
    /// Whether it is tried in the driver, first.
    pub(crate) in_driver: bool,
    /// Whether it is tried behind it.
    pub(crate) behind: bool,
}

/// Puts a program at a card; says where.
pub(crate) fn attach(ebpf: &mut Ebpf, card: &Card, places: &Places) -> Result<&'static str, KernelError> {
    if places.in_driver {
        match program(ebpf, places.native)?.attach_to_if_index(card.index, XdpMode::Driver) {
            Ok(_) => return Ok("native"),
            Err(error) if !places.behind => return Err(KernelError::at(card, &error)),
            Err(error) => {
                tracing::debug!(card = card.name, error = causes(&error), "not in the driver of this card");
            }
        }
    }
    let attached = program(ebpf, places.generic)?.attach_to_if_index(card.index, XdpMode::Skb);
    attached.map(|_| "generic").map_err(|error| KernelError::at(card, &error))
}

/// The cards that are meant.
pub(crate) fn chosen(cards: &Cards, sessions: &rtp::Settings) -> Result<Vec<Card>, KernelError> {
    let mut netlink = Netlink::new().map_err(KernelError::refused)?;
    let all = netlink.cards().map_err(KernelError::refused)?;
    let chosen: Vec<Card> = match cards {
        Cards::Named(names) => {
            let find = |name: &String| {
                let card = all.iter().find(|card| card.name == *name).cloned();
                let reason = || "there is none of this name, or it is no Ethernet".to_owned();
                card.ok_or_else(|| KernelError::Card { name: name.clone(), reason: reason() })
            };
            names.iter().map(find).collect::<Result<_, _>>()?
        }
        Cards::OfAddresses => {
            let mut indices = Vec::new();
            for (place, address) in sessions.addresses.iter().enumerate() {
                let public = sessions.public.get(place).copied();
                indices.extend(card_of(&mut netlink, *address, public).map_err(KernelError::refused)?);
            }
            all.into_iter().filter(|card| indices.contains(&card.index)).collect()
        }
    };
    if chosen.is_empty() { Err(KernelError::NoCard) } else { Ok(chosen) }
}

/// An address of the Internet that belongs to documentation (RFC 5737, RFC 3849): only asked for the way there.
const OUTSIDE: [IpAddr; 2] = [
    IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

fn card_of(netlink: &mut Netlink, address: IpAddr, public: Option<IpAddr>) -> io::Result<Option<u32>> {
    if !address.is_unspecified() {
        return netlink.holder(address);
    }
    let named = match public {
        Some(public) => netlink.holder(public)?,
        None => None,
    };
    match named {
        Some(card) => Ok(Some(card)),
        None => netlink.way_out(OUTSIDE[usize::from(address.is_ipv6())]),
    }
}

/// An error with what caused it, of each the first line: what the kernel says of a program is long.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let line =
        |error: &dyn std::error::Error| error.to_string().lines().next().unwrap_or_default().to_owned();
    let mut text = line(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {}", line(error));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
