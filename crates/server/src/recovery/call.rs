//! A call as it lies in the store beside its record, so that it can go on.

use b2bua::snapshot::{
    Agreed, Capabilities, ClockRate, Codec, DialogSnapshot, Direction, Hearing, Hop, InviteSnapshot, Joined,
    Key, Keys, Layout, Lines, MediaSnapshot, OpusWishes, Remote, Secured, Security, Snapshot, Suite,
};
use b2bua::{
    AgentListener, Attestation, CallId, Cause, Code, IdentityFault, Outcome, PairId, Record, Role, Side,
    Tried, Verification,
};
use number::Number;
use sip::Transport;

use super::form::{Form, Reader, Writer, form};

/// What a snapshot begins with. Another one for each change of what follows: a snapshot of another version is not understood.
const VERSION: u8 = 5;

/// Writes a call down; `zero_us` is what the wall clock showed at `Instant::ZERO`, in microseconds.
pub(crate) fn write(snapshot: &Snapshot, zero_us: u64) -> Vec<u8> {
    let mut to = Writer { octets: Vec::with_capacity(1_024), zero_us };
    VERSION.write(&mut to);
    snapshot.write(&mut to);
    to.octets
}

/// Reads it back, but for what the shop attached to the order, which is in the record. `None`: it is of another version, or no
/// snapshot.
pub(crate) fn read(octets: &[u8], zero_us: u64) -> Option<Snapshot> {
    let mut from = Reader { octets, zero_us };
    (u8::read(&mut from)? == VERSION).then_some(())?;
    Snapshot::read(&mut from).filter(|_| from.octets.is_empty())
}

form!(struct Snapshot { record, caller, callee, inviting, hearing, callee_trunk, joined });
form!(struct Hearing { trunk, dialog });
form!(struct Joined { caller, callee, warns, ends });
form!(struct MediaSnapshot { local, port, origin, capabilities, agreed });
form!(struct InviteSnapshot { home, invite });
form!(struct Hop { listener, peer });
form!(struct AgentListener { transport, public });
form!(struct DialogSnapshot {
    call_id,
    local_tag,
    remote_tag,
    local,
    remote,
    target,
    routes,
    sequence,
    remote_sequence,
    heard,
    home,
    own,
    takes_update,
    least,
    terms,
});
form!(struct Tried { side, number, dialled, rang, answered, ended, outcome });
form!(struct Outcome { side, cause, status, q850 });
form!(struct Record {
    call,
    callback,
    line,
    dialled,
    trunk,
    caller,
    claimed,
    verification,
    callee,
    callee_trunk,
    tried,
    started,
    answered,
    bridged,
    code,
    attempts,
    order_found,
    number_found,
    pair,
    caller_role,
    callee_reached,
    operator_asked,
    operator_reached,
    locked_out,
    recording,
    recording_paused,
    recording_refused,
    recording_fault,
    hook_fault,
    restored,
} but {
    // None of a call that goes on.
    ended,
    outcome,
    caller_media,
    callee_media,
    // It can be long, and is in the record beside this.
    data,
});
form!(struct Capabilities { codecs, events, noise, ptime, security, xr });
form!(struct Agreed {
    remote,
    send,
    also,
    receive,
    event_send,
    event_receive,
    event_rate,
    noise,
    opus,
    ptime,
    maxptime,
    mux,
    direction,
    xr,
    secured,
    layout,
});
form!(struct Remote { rtp, rtcp });
form!(struct OpusWishes { bit_rate, playback_rate, constant, correction, pauses, least });
form!(struct Secured { tag, suite, ours, theirs, life });
form!(struct Lines { words, audio, taken });
form!(
    enum Transport {
        Udp = 0,
        Tcp = 1,
        Tls = 2,
    }
);
form!(
    enum Side {
        Caller = 0,
        Callee = 1,
        Us = 2,
    }
);
form!(
    enum Role {
        Courier = 0,
        Client = 1,
        A = 2,
        B = 3,
    }
);
form!(
    enum Cause {
        HungUp = 0,
        Cancelled = 1,
        UnknownLine = 2,
        NotAcceptable = 3,
        Unverified = 4,
        Overloaded = 5,
        Loop = 6,
        NoInput = 7,
        NothingChosen = 8,
        Busy = 9,
        NoAnswer = 10,
        Declined = 11,
        NoSuchNumber = 12,
        Unreachable = 13,
        OperatorUnavailable = 14,
        MaxDuration = 15,
        MediaLost = 16,
        SignallingLost = 17,
        Ended = 18,
        Fault = 19,
        NodeLost = 20,
        AnsweredElsewhere = 21,
        NumberNotAllowed = 22,
        TooManyCalls = 23,
        Blocked = 24,
        QuietHours = 25,
        CallsUsedUp = 26,
        Refused = 27,
        HookFailed = 28,
        NotConnected = 29,
    }
);
form!(
    enum Codec {
        Pcmu = 0,
        Pcma = 1,
        G722 = 2,
        Opus = 3,
    }
);
form!(
    enum ClockRate {
        Hz8000 = 0,
        Hz48000 = 1,
    }
);
form!(
    enum Direction {
        SendReceive = 0,
        SendOnly = 1,
        ReceiveOnly = 2,
        Inactive = 3,
    }
);
form!(
    enum Suite {
        AesCm128HmacSha1_80 = 0,
        AeadAes128Gcm = 1,
        AeadAes256Gcm = 2,
        AesCm128HmacSha1_32 = 3,
    }
);

form!(
    enum Attestation {
        Gateway = 0,
        Partial = 1,
        Full = 2,
    }
);
form!(
    enum IdentityFault {
        Unreadable = 0,
        Compact = 1,
        Algorithm = 2,
        Stale = 3,
        OtherCaller = 4,
        OtherCallee = 5,
        UnknownCertificate = 6,
        Untrusted = 7,
        OtherNumbers = 8,
        Signature = 9,
        Carrier = 10,
        Late = 11,
    }
);

impl Form for Verification {
    fn write(&self, to: &mut Writer) {
        match self {
            Self::Passed(attestation) => {
                0_u8.write(to);
                attestation.write(to);
            }
            Self::Failed(fault) => {
                1_u8.write(to);
                fault.write(to);
            }
            Self::None(fault) => {
                2_u8.write(to);
                fault.write(to);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        match u8::read(from)? {
            0 => Form::read(from).map(Self::Passed),
            1 => Form::read(from).map(Self::Failed),
            2 => Form::read(from).map(Self::None),
            _ => None,
        }
    }
}

impl Form for Layout {
    fn write(&self, to: &mut Writer) {
        Lines::from(self).write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Lines::read(from)?.layout()
    }
}

impl Form for Security {
    fn write(&self, to: &mut Writer) {
        let (number, keys): (u8, _) = match self {
            Self::Off => (0, None),
            Self::Offered(keys) => (1, Some(keys)),
            Self::Required(keys) => (2, Some(keys)),
        };
        number.write(to);
        if let Some(keys) = keys {
            keys.0.write(to);
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        match u8::read(from)? {
            0 => Some(Self::Off),
            1 => Form::read(from).map(|keys| Self::Offered(Keys(keys))),
            2 => Form::read(from).map(|keys| Self::Required(Keys(keys))),
            _ => None,
        }
    }
}

impl Form for Key {
    fn write(&self, to: &mut Writer) {
        self.0.write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Form::read(from).map(Self)
    }
}

impl Form for PairId {
    fn write(&self, to: &mut Writer) {
        self.0.write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Form::read(from).map(Self)
    }
}

impl Form for CallId {
    fn write(&self, to: &mut Writer) {
        self.0.write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Form::read(from).map(Self)
    }
}

impl Form for Number {
    fn write(&self, to: &mut Writer) {
        self.as_u64().write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Self::parse(&format!("+{}", u64::read(from)?)).ok()
    }
}

impl Form for Code {
    fn write(&self, to: &mut Writer) {
        Box::<str>::from(self.as_str()).write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Self::parse(&Box::<str>::read(from)?)
    }
}

#[cfg(test)]
mod tests;
