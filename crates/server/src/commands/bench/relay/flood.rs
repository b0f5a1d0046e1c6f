//! Both parties of every call in the kernel (`bpf/flood.bpf.c`): for loads that no program with sockets could send and
//! take. They count what comes back, and look at its header and at whose voice it is; when it came they do not say.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

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
/// Packets of a leg in a second.
const RATE: f64 = 50.0;
/// Calls begin one after the other, so many in a second: what a relay does with the first packets of all of them at once is
/// not what is measured.
const BEGINNING: f64 = 400.0;
/// From when all have begun until it is counted: what is settled after the first second is so by then.
const SETTLING: Duration = Duration::from_secs(2);
/// A thread wakes so often: a network card that gathers interrupts does it about as often.
const QUANTUM: Duration = Duration::from_micros(100);
/// Packets the kernel makes in one go.
const TOGETHER: u32 = 64;
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
    wrong: u32,
    came: u64,
}

// SAFETY: plain numbers without a gap between them.
unsafe impl Pod for Leg {}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct All {
    first: u32,
    legs: u32,
    active: u32,
    next: u32,
    here: [u8; 6],
    there: [u8; 6],
}

// SAFETY: plain numbers without a gap between them.
unsafe impl Pod for All {}

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
    all: Array<MapData, All>,
    interface: u32,
}

/// What has come to all legs so far.
#[derive(Debug, Clone, Copy, Default)]
struct Came {
    right: u64,
    wrong: u64,
}

impl Flood {
    /// Puts it at the generator's card. While it says nothing it hears nothing, and lets everything through; then it is what a
    /// virtual card needs at its far end for packets to be sent out of its driver.
    pub(super) fn new(place: &Place) -> Result<Self, String> {
        let Place::Veth(veth) = place else { return Err("needs --veth".to_owned()) };
        let made = place.at(Side::Generator, || Self::at(veth).map_err(io::Error::other));
        made.map_err(|error| format!("the kernel takes no programs at the generator's card: {error}"))
    }

    fn at(veth: &Veth) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
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
        let (legs, all): (Map, Map) = (map("legs")?, map("flood")?);
        Ok(Self { ebpf, legs: Array::try_from(legs)?, all: Array::try_from(all)?, interface })
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
        let run = || {
            cores.occupy().map_err(io::Error::other)?;
            self.talk(place, targets, lasting, meter).map_err(io::Error::other)
        };
        place.at(Side::Generator, run).map_err(|error| format!("the kernel's generator: {error}"))
    }

    fn talk(
        &mut self,
        place: &Place,
        targets: &[SocketAddrV4],
        lasting: Duration,
        meter: &(dyn Fn(Moment) + Sync),
    ) -> Result<Outcome, Box<dyn std::error::Error + Send + Sync>> {
        let count = u32::try_from(targets.len())?;
        if count > ROOM {
            return Err(format!("{} calls are the most", ROOM / 2).into());
        }
        let first = place.legs();
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
        let mut all = All { first: first.into(), legs: count, active: 2, next: 0, here, there };
        self.all.set(0, all, 0)?;

        let began = Instant::now();
        let settled = Duration::from_secs_f64(f64::from(count) / 2.0 / BEGINNING) + SETTLING;
        let (mut said, mut due, mut at) = (0_u64, 0.0, Duration::ZERO);
        let mut before: Option<(Came, u64, f64)> = None;
        loop {
            let now = began.elapsed();
            if now >= settled + lasting {
                break;
            }
            let active = ((now.as_secs_f64() * BEGINNING) as u32 * 2).clamp(2, count);
            if active != all.active {
                all = All { active, ..self.all.get(&0, 0)? };
                self.all.set(0, all, 0)?;
            }
            due += (now - at).as_secs_f64() * f64::from(active) * RATE;
            at = now;
            if before.is_none() && now >= settled {
                meter(Moment::Begin);
                before = Some((self.came(count)?, said, due));
            }
            // A thread that was kept away does not catch up all at once: no queue takes so much.
            let packets = ((due - said as f64) as u64).min(u64::from(TOGETHER) * 4);
            if packets > 0 {
                self.speak(u32::try_from(packets)?)?;
                said += packets;
            }
            machine::sleep(QUANTUM.saturating_sub(began.elapsed() - now));
        }
        meter(Moment::End);
        let (came_before, said_before, due_before) = before.unwrap_or_default();
        let meanwhile = self.came(count)?.right - came_before.right;
        std::thread::sleep(DRAIN);
        let came = self.came(count)?;
        self.all.set(0, All::default(), 0)?;
        Ok(Outcome {
            planned: (due - due_before) as u64,
            sent: said - said_before,
            received: came.right - came_before.right,
            meanwhile,
            misled: came.wrong,
            ..Outcome::default()
        })
    }

    /// Makes so many packets and sends them.
    fn speak(&mut self, packets: u32) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let program: &mut Xdp = self.ebpf.program_mut("speak").ok_or("a program is missing")?.try_into()?;
        let context = Context { data_end: FRAME as u32, interface: self.interface, ..Context::default() };
        // SAFETY: a live value of plain numbers, read as the octets it is made of.
        let context =
            unsafe { std::slice::from_raw_parts((&raw const context).cast::<u8>(), size_of::<Context>()) };
        program.test_run(TestRunOptions {
            data_in: Some(&[0; FRAME]),
            ctx_in: Some(context),
            repeat: packets,
            attrs: TestRunAttrs::new().xdp_live_frames(TOGETHER),
            ..TestRunOptions::default()
        })?;
        Ok(())
    }

    fn came(&self, count: u32) -> Result<Came, Box<dyn std::error::Error + Send + Sync>> {
        (0..count).try_fold(Came::default(), |sum, leg| {
            let leg = self.legs.get(&leg, 0)?;
            Ok(Came { right: sum.right + leg.came, wrong: sum.wrong + u64::from(leg.wrong) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_laid_out_as_the_programs_have_them() {
        assert_eq!((size_of::<Leg>(), std::mem::offset_of!(Leg, came)), (40, 32));
        assert_eq!((size_of::<All>(), size_of::<Context>()), (28, 24));
    }
}
