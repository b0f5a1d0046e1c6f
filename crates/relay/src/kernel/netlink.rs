//! What the system knows of its network (rtnetlink(7)): cards, and the way to an address.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// A card's own address, and its neighbours' (Ethernet).
pub(crate) type Mac = [u8; 6];

/// A card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mac: Mac,
    /// Octets of the longest IP packet it takes.
    pub(crate) mtu: u32,
    /// One end of a virtual cable.
    pub(crate) is_veth: bool,
}

/// How packets get to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    /// The card they go out by.
    pub(crate) interface: u32,
    /// The address they come from, unless it is chosen.
    pub(crate) source: IpAddr,
    /// Whose card takes them next.
    pub(crate) next_hop: Mac,
}

/// A connection to the system.
pub(super) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    pub(super) fn new() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// All Ethernet cards.
    pub(super) fn cards(&mut self) -> io::Result<Vec<Card>> {
        let answers = self.ask(RouteNetlinkMessage::GetLink(LinkMessage::default()), NLM_F_DUMP)?;
        let link = |answer| {
            let RouteNetlinkMessage::NewLink(link) = answer else { return None };
            card(&link)
        };
        Ok(answers.into_iter().filter_map(link).collect())
    }

    /// The card that has an address.
    pub(super) fn holder(&mut self, of: IpAddr) -> io::Result<Option<u32>> {
        let answers = self.ask(RouteNetlinkMessage::GetAddress(AddressMessage::default()), NLM_F_DUMP)?;
        let holds = |address: &AddressMessage| {
            let is = [AddressAttribute::Address(of), AddressAttribute::Local(of)];
            address.attributes.iter().any(|attribute| is.contains(attribute))
        };
        Ok(answers.into_iter().find_map(|answer| {
            let RouteNetlinkMessage::NewAddress(address) = answer else { return None };
            holds(&address).then_some(address.header.index)
        }))
    }

    /// The way to an address, from one of ours where that is chosen. `None`: there is none over Ethernet, or the card of the
    /// next hop is not known at the moment.
    pub(super) fn way(&mut self, to: IpAddr, from: Option<IpAddr>) -> io::Result<Option<Way>> {
        let Some(route) = self.route(to, from)? else { return Ok(None) };
        let Some(source) = from.or(route.source) else { return Ok(None) };
        let next_hop = self.neighbour(route.gateway.unwrap_or(to), route.interface)?;
        Ok(next_hop.map(|next_hop| Way { interface: route.interface, source, next_hop }))
    }

    /// The card by which packets to an address go out.
    pub(super) fn way_out(&mut self, to: IpAddr) -> io::Result<Option<u32>> {
        Ok(self.route(to, None)?.map(|route| route.interface))
    }

    fn route(&mut self, to: IpAddr, from: Option<IpAddr>) -> io::Result<Option<Route>> {
        let mut message = RouteMessage::default();
        let length = if to.is_ipv4() { 32 } else { 128 };
        message.header.address_family = family(to);
        message.header.destination_prefix_length = length;
        message.attributes.push(RouteAttribute::Destination(to.into()));
        if let Some(from) = from {
            message.header.source_prefix_length = length;
            message.attributes.push(RouteAttribute::Source(from.into()));
        }
        let answers = match self.ask(RouteNetlinkMessage::GetRoute(message), 0) {
            Ok(answers) => answers,
            // There is no way there, or not from there.
            Err(error) if is_no_way(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(RouteNetlinkMessage::NewRoute(route)) = answers.into_iter().next() else { return Ok(None) };
        if route.header.kind != RouteType::Unicast {
            return Ok(None);
        }
        Ok(Route::of(&route.attributes))
    }

    fn neighbour(&mut self, of: IpAddr, interface: u32) -> io::Result<Option<Mac>> {
        let mut message = NeighbourMessage::default();
        message.header.family = family(of);
        message.header.ifindex = interface;
        message.attributes.push(NeighbourAttribute::Destination(match of {
            IpAddr::V4(ip) => NeighbourAddress::Inet(ip),
            IpAddr::V6(ip) => NeighbourAddress::Inet6(ip),
        }));
        let answers = match self.ask(RouteNetlinkMessage::GetNeighbour(message), 0) {
            Ok(answers) => answers,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(RouteNetlinkMessage::NewNeighbour(neighbour)) = answers.into_iter().next() else {
            return Ok(None);
        };
        let is_known = KNOWN.contains(&neighbour.header.state);
        let mac = neighbour.attributes.iter().find_map(|attribute| {
            let NeighbourAttribute::LinkLayerAddress(octets) = attribute else { return None };
            Mac::try_from(octets.as_slice()).ok()
        });
        Ok(mac.filter(|_| is_known))
    }

    fn ask(&mut self, question: RouteNetlinkMessage, flags: u16) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(question));
        message.finalize();
        let mut octets = vec![0; message.buffer_len()];
        message.serialize(&mut octets);
        self.socket.send(&octets, 0)?;
        let mut answers = Vec::new();
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            let mut rest = &datagram[..];
            while !rest.is_empty() {
                let message =
                    NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(io::Error::other)?;
                let length = usize::try_from(message.header.length).unwrap_or(rest.len());
                // Messages are aligned to four octets (netlink(7)).
                rest = rest.get(length.next_multiple_of(4).max(1)..).unwrap_or_default();
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::InnerMessage(answer) if flags & NLM_F_DUMP == 0 => {
                        return Ok(vec![answer]);
                    }
                    NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    NetlinkPayload::Done(_) => return Ok(answers),
                    NetlinkPayload::Noop | NetlinkPayload::Overrun(_) | _ => {}
                }
            }
        }
    }
}

fn is_no_way(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EINVAL, libc::EACCES]
        .into_iter()
        .any(|known| code == Some(known))
}

fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    if let RouteAddress::Inet(ip) = address {
        return Some(IpAddr::V4(*ip));
    }
    let RouteAddress::Inet6(ip) = address else { return None };
    Some(IpAddr::V6(*ip))
}

/// States of a neighbour in which its address may be used (rtnetlink(7)).
const KNOWN: [NeighbourState; 5] = [
    NeighbourState::Reachable,
    NeighbourState::Stale,
    NeighbourState::Delay,
    NeighbourState::Probe,
    NeighbourState::Permanent,
];

/// What the system says of the way to an address.
struct Route {
    interface: u32,
    gateway: Option<IpAddr>,
    /// The address we would send from.
    source: Option<IpAddr>,
}

impl Route {
    /// `None` for a next hop of the other family, and for a tunnel.
    fn of(attributes: &[RouteAttribute]) -> Option<Self> {
        let is_strange = |attribute: &RouteAttribute| {
            matches!(attribute, RouteAttribute::Via(_) | RouteAttribute::Encap(_))
        };
        if attributes.iter().any(is_strange) {
            return None;
        }
        let interface = attributes.iter().find_map(|attribute| {
            let RouteAttribute::Oif(index) = attribute else { return None };
            Some(*index)
        })?;
        let gateway = attributes.iter().find_map(|attribute| {
            let RouteAttribute::Gateway(address) = attribute else { return None };
            ip(address)
        });
        let source = attributes.iter().find_map(|attribute| {
            let RouteAttribute::PrefSource(address) = attribute else { return None };
            ip(address)
        });
        Some(Self { interface, gateway, source })
    }
}

fn card(link: &LinkMessage) -> Option<Card> {
    let name = link.attributes.iter().find_map(|attribute| {
        let LinkAttribute::IfName(name) = attribute else { return None };
        Some(name.clone())
    })?;
    let mac = link.attributes.iter().find_map(|attribute| {
        let LinkAttribute::Address(octets) = attribute else { return None };
        Mac::try_from(octets.as_slice()).ok()
    })?;
    let mtu = link.attributes.iter().find_map(|attribute| {
        let LinkAttribute::Mtu(octets) = attribute else { return None };
        Some(*octets)
    })?;
    let is_veth = link.attributes.iter().any(|attribute| {
        let LinkAttribute::LinkInfo(infos) = attribute else { return false };
        infos.contains(&LinkInfo::Kind(InfoKind::Veth))
    });
    // Loopback has an address of zeros, and no card.
    (mac != [0; 6]).then_some(Card { index: link.header.index, name, mac, mtu, is_veth })
}
