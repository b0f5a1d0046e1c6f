//! Both parties of every call in the kernel (`bpf/flood.bpf.c`): for loads that no program with sockets could send and
//! take. They count what comes back, and look at its header and at whose voice it is; when it came they do not say.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use aya::maps::{Array, Map, MapData};
use aya::programs::{TestRun as _, TestRunAttrs, TestRunOptions, Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader, Pod};

use super::generator::{Moment, Outcome};
use super::machine::{self, Cores};
use super::place::{Place, Side, Veth};

/// The programs, made by `crates/relay/bpf/build`.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../../bpf/flood.bpf.o");
/// Legs there is room for.
const ROOM: u32 = 65_536;
/// Where every leg takes packets.
const PORT: u16 = 40_000;
/// Calls begin one after the other, so many in a second: what a relay does with the first packets of all of them at once is
/// not what is measured.
const BEGINNING: u32 = 400;
/// From when all have begun until it is counted: what is settled after the first second is so by then.
const SETTLING: Duration = Duration::from_secs(2);
/// Packets that go out together: those of about a tenth of a millisecond, as a network card gathers them.
const TOGETHER: std::ops::RangeInclusive<u32> = 1..=64;
/// How long packets may be under way after the last.
const DRAIN: Duration = Duration::from_millis(300);
/// Ethernet, IPv4, UDP, RTP, 20 ms of G.711.
const FRAME: usize = 14 + 20 + 8 + 12 + 160;

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Leg {
    from: [u8; 4],
    to: [u8; 4],
    from_port: [u8; 2],
    to_port: [u8; 2],
    sequence: u32,
    timestamp: u32,
    ssrc: u32,
    heard_ssrc: u32,
    unused: u32,
    came: u64,
}

// SAFETY: plain numbers without a gap between them.
unsafe impl Pod for Leg {}

/// What is asked for.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    first: u32,
    legs: u32,
    rate: u32,
    beginning: u32,
    here: [u8; 6],
    there: [u8; 6],
    ends: u32,
}

// SAFETY: plain numbers without a gap between them.
unsafe impl Pod for Asked {}

/// What came of it so far.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    began: u64,
    due: u64,
    said: u64,
    missed: u64,
    right: u64,
    wrong: u64,
    active: u32,
    next: u32,
}

// SAFETY: plain numbers without a gap between them.
unsafe impl Pod for Tally {}

/// What `struct xdp_md` of linux/bpf.h begins with.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Context {
    data: u32,
    data_end: u32,
    data_meta: u32,
    interface: u32,
    queue: u32,
    egress: u32,
}

/// The programs, one of them at the generator's card.
pub(super) struct Flood {
    ebpf: Ebpf,
    legs: Array<MapData, Leg>,
    asked: Array<MapData, Asked>,
    tally: Array<MapData, Tally>,
    interface: u32,
    /// Packets of a leg in a second.
    rate: u32,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

impl Flood {
    /// Puts it at the generator's card. While it says nothing it hears nothing, and lets everything through; then it is what a
    /// virtual card needs at its far end for packets to be sent out of its driver.
    pub(super) fn new(place: &Place, rate: u32) -> Result<Self, String> {
        let Place::Veth(veth) = place else { return Err("needs --veth".to_owned()) };
        let made = place.at(Side::Generator, || Self::at(veth, rate).map_err(io::Error::other));
        made.map_err(|error| format!("the kernel takes no programs at the generator's card: {error}"))
    }

    fn at(veth: &Veth, rate: u32) -> Result<Self, Error> {
        let interface = veth.generator_card()?;
        let mut ebpf = EbpfLoader::new().map_max_entries("legs", ROOM).load(OBJECT)?;
        for name in ["speak", "hear"] {
            let program: &mut Xdp = ebpf.program_mut(name).ok_or("a program is missing")?.try_into()?;
            program.load()?;
            if name == "hear" {
                program.attach_to_if_index(interface, XdpMode::Driver)?;
            }
        }
        let mut map = |name| ebpf.take_map(name).ok_or("a table is missing");
        let (legs, asked, tally): (Map, Map, Map) = (map("legs")?, map("flood")?, map("tally")?);
        let (legs, asked, tally) = (Array::try_from(legs)?, Array::try_from(asked)?, Array::try_from(tally)?);
        Ok(Self { ebpf, legs, asked, tally, interface, rate })
    }

    /// Where the legs of so many calls take packets.
    pub(super) fn remotes(place: &Place, calls: u32) -> Vec<SocketAddrV4> {
        let first = u32::from(place.legs());
        (0..calls * 2).map(|leg| SocketAddrV4::new(Ipv4Addr::from(first + leg), PORT)).collect()
    }

    /// Sends packets of every leg to its target for so long, and counts what comes.
    pub(super) fn run(
        &mut self,
        place: &Place,
        targets: &[SocketAddrV4],
        lasting: Duration,
        cores: &Cores,
        meter: &(dyn Fn(Moment) + Sync),
    ) -> Result<Outcome, String> {
        let run = || self.talk(place, targets, lasting, cores, meter).map_err(io::Error::other);
        place.at(Side::Generator, run).map_err(|error| format!("the kernel's generator: {error}"))
    }

    fn talk(
        &mut self,
        place: &Place,
        targets: &[SocketAddrV4],
        lasting: Duration,
        cores: &Cores,
        meter: &(dyn Fn(Moment) + Sync),
    ) -> Result<Outcome, Error> {
        let count = u32::try_from(targets.len())?;
        if count > ROOM {
            return Err(format!("{} calls are the most", ROOM / 2).into());
        }
        for ((number, target), remote) in (0_u32..).zip(targets).zip(Self::remotes(place, count / 2)) {
            let leg = Leg {
                from: remote.ip().octets(),
                to: target.ip().octets(),
                from_port: remote.port().to_be_bytes(),
                to_port: target.port().to_be_bytes(),
                // Any will do, but the same for none.
                sequence: number.wrapping_mul(40_503),
                timestamp: number.wrapping_mul(2_654_435_761),
                ssrc: number + 1,
                ..Leg::default()
            };
            self.legs.set(number, leg, 0)?;
        }
        let (here, there) = Veth::MACS;
        let asked = Asked {
            first: place.legs().into(),
            legs: count,
            rate: self.rate,
            beginning: BEGINNING * 2,
            here,
            there,
            ends: 0,
        };
        self.tally.set(0, Tally::default(), 0)?;
        self.asked.set(0, asked, 0)?;

        let settling = Duration::from_secs_f64(f64::from(count / 2) / f64::from(BEGINNING)) + SETTLING;
        // More than it comes to: what is left when it ends goes by at once.
        let seconds = (settling + lasting).as_secs() + 5;
        let a_second = u64::from(count) * u64::from(self.rate);
        let packets = a_second * seconds;
        let (ebpf, interface) = (&mut self.ebpf, self.interface);
        let (tally, asked_of) = (&self.tally, &mut self.asked);
        let (before, after) = std::thread::scope(|scope| {
            let speaking = scope.spawn(move || {
                cores.in_turn().occupy()?;
                speak(ebpf, interface, a_second, packets)
            });
            let read = |wait: Duration, moment: Moment| {
                machine::sleep(wait);
                meter(moment);
                tally.get(&0, 0)
            };
            let measured = cores.before().occupy().map_err(Error::from).and_then(|()| {
                let before = read(settling, Moment::Begin)?;
                Ok((before, read(lasting, Moment::End)?))
            });
            asked_of.set(0, Asked { ends: 1, ..asked }, 0)?;
            speaking.join().map_err(|_| "a thread panicked")??;
            measured
        })?;
        std::thread::sleep(DRAIN);
        let last = self.tally.get(&0, 0)?;
        self.asked.set(0, Asked::default(), 0)?;
        // What is said after the last look is heard after it as well.
        let (said, meanwhile) = (after.said - before.said, after.right - before.right);
        let lost = (last.said - before.said).saturating_sub(last.right - before.right);
        Ok(Outcome {
            planned: said + after.missed - before.missed,
            sent: said,
            received: said.saturating_sub(lost),
            meanwhile,
            misled: last.wrong,
            ..Outcome::default()
        })
    }
}

/// Makes so many packets and sends them. It takes as long as there are packets, or until it is to end.
fn speak(ebpf: &mut Ebpf, interface: u32, a_second: u64, mut packets: u64) -> Result<(), Error> {
    let program: &mut Xdp = ebpf.program_mut("speak").ok_or("a program is missing")?.try_into()?;
    let context = Context { data_end: FRAME as u32, interface, ..Context::default() };
    // SAFETY: a live value of plain numbers, read as the octets it is made of.
    let context =
        unsafe { std::slice::from_raw_parts((&raw const context).cast::<u8>(), size_of::<Context>()) };
    let together =
        u32::try_from(a_second / 10_000).unwrap_or(u32::MAX).clamp(*TOGETHER.start(), *TOGETHER.end());
    while packets > 0 {
        let repeat = u32::try_from(packets).unwrap_or(u32::MAX);
        program.test_run(TestRunOptions {
            data_in: Some(&[0; FRAME]),
            ctx_in: Some(context),
            repeat,
            attrs: TestRunAttrs::new().xdp_live_frames(together),
            ..TestRunOptions::default()
        })?;
        packets -= u64::from(repeat);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_laid_out_as_the_programs_have_them() {
        assert_eq!((size_of::<Leg>(), std::mem::offset_of!(Leg, came)), (40, 32));
        assert_eq!((size_of::<Asked>(), size_of::<Tally>(), size_of::<Context>()), (32, 56, 24));
    }
}
