//! Whether callers are who they say (RFC 3261 §22.1, RFC 7616, RFC 8760): challenges of ours, what proves an account, and how often
//! that may be tried. Nothing is kept of whoever has proved nothing but a count, for a second.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use sip::{Auth, Compose, Name, Request};
use subtle::ConstantTimeEq;

use crate::chance::Chance;
use crate::digest::{Algorithm, Proof, quoted};
use crate::interface::{Account, TrunkId};

/// How long a nonce is good for.
const LIFE: Duration = Duration::from_secs(300);
/// Most nonces in use at once; beyond it the oldest are forgotten, and stale.
const NONCES: usize = 65_536;
/// Challenges in a second to one address that no trunk is known by, and to all of them together.
const ASKED_OF_ONE: u32 = 10;
const ASKED_OF_ALL: u32 = 200;
/// So many wrong answers of one address within this time, and it is not heard any more for as long.
const WRONG: u32 = 10;
const WRONG_WITHIN: Duration = Duration::from_secs(600);
/// Most addresses of which that is remembered; beyond it those are forgotten first that will be heard again first.
const WRONG_ONES: usize = 10_000;

/// Whoever must prove something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claimant<'a> {
    /// Which trunks it may be.
    pub(crate) of: &'a [TrunkId],
    /// Whether its address or its certificate is one of a trunk's.
    pub(crate) is_near: bool,
    /// Where it speaks from.
    pub(crate) address: IpAddr,
    /// The time, since whenever.
    pub(crate) at: Duration,
}

/// What is to be done with a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is of this trunk.
    Proved(TrunkId),
    /// Its sender is to say who it is; `wrong`: what it said is.
    Ask { challenges: Challenges, wrong: bool },
    /// It is heard no more for a while.
    Silence { wrong: bool },
}

/// What a 401 asks, the best first (RFC 8760 §2.4).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Challenges(Vec<String>);

impl Challenges {
    pub(crate) fn write(&self, compose: Compose) -> Compose {
        self.0.iter().fold(compose, |compose, challenge| compose.header(Name::WwwAuthenticate, challenge))
    }
}

/// Keeps callers to their accounts.
#[derive(Debug)]
pub(crate) struct Guard {
    key: [u8; 32],
    /// Of each nonce that was used, which counts.
    used: BTreeMap<Nonce, Counts>,
    /// Nonces up to this time may have been used and forgotten.
    forgotten: u32,
    asked: Asked,
    wrong: WrongOnes,
}

/// When a nonce was made, in seconds, and its chance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Nonce {
    at: u32,
    chance: Box<str>,
}

/// An address as far as one host can hold it: of IPv6 the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Source(u64);

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(u32::from(address).into()),
            IpAddr::V6(address) => Self((u128::from(address) >> 64) as u64),
        }
    }
}

/// How often which counts of a nonce were seen: the highest, and a bit for each of those before it.
#[derive(Debug, Default)]
struct Counts {
    highest: u32,
    before: u64,
}

impl Counts {
    /// Whether this one is new.
    fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            let step = count - self.highest;
            self.before = self.before.checked_shl(step).unwrap_or(0);
            if self.highest > 0 && step <= 64 {
                self.before |= 1 << (step - 1);
            }
            self.highest = count;
            return count > 0;
        }
        let behind = self.highest - count;
        if count == 0 || behind == 0 || behind > 64 {
            return false;
        }
        let bit = 1 << (behind - 1);
        let is_new = self.before & bit == 0;
        self.before |= bit;
        is_new
    }
}

/// How many were asked in the second at hand.
#[derive(Debug, Default)]
struct Asked {
    second: u64,
    all: u32,
    each: HashMap<Source, u32>,
}

impl Asked {
    fn takes(&mut self, source: Source, at: Duration) -> bool {
        if at.as_secs() != self.second {
            *self = Self { second: at.as_secs(), ..Self::default() };
        }
        if self.all >= ASKED_OF_ALL {
            return false;
        }
        let one = self.each.entry(source).or_default();
        *one += 1;
        self.all += u32::from(*one <= ASKED_OF_ONE);
        *one <= ASKED_OF_ONE
    }
}

/// Wrong answers by address, and until when they count. Only who was heard where a nonce went is among them.
#[derive(Debug, Default)]
struct WrongOnes {
    counts: BTreeMap<Source, (u32, Duration)>,
    ends: BTreeSet<(Duration, Source)>,
}

impl WrongOnes {
    /// Whether this one is not heard any more.
    fn is_out(&mut self, source: Source, at: Duration) -> bool {
        while let Some((until, gone)) = self.ends.first().copied().filter(|(until, _)| *until <= at) {
            self.ends.remove(&(until, gone));
            self.counts.remove(&gone);
        }
        self.counts.get(&source).is_some_and(|(count, _)| *count >= WRONG)
    }

    fn note(&mut self, source: Source, at: Duration) {
        let (count, until) = self.counts.get(&source).copied().unwrap_or((0, at + WRONG_WITHIN));
        self.ends.remove(&(until, source));
        let count = count + 1;
        let until = if count >= WRONG { at + WRONG_WITHIN } else { until };
        self.counts.insert(source, (count, until));
        self.ends.insert((until, source));
        if self.counts.len() > WRONG_ONES
            && let Some((_, gone)) = self.ends.pop_first()
        {
            self.counts.remove(&gone);
        }
    }
}

/// What a request says of its sender.
struct Said {
    nonce: Nonce,
    username: String,
    algorithm: Algorithm,
    uri: String,
    cnonce: String,
    count: u32,
    nc: String,
    response: String,
    text: String,
}

impl Guard {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        Self {
            key: chance.key(),
            used: BTreeMap::new(),
            forgotten: 0,
            asked: Asked::default(),
            wrong: WrongOnes::default(),
        }
    }

    /// Looks at a request outside of any dialog.
    pub(crate) fn look(
        &mut self,
        request: &Request,
        claimant: Claimant<'_>,
        accounts: &[Account],
        realm: &str,
        chance: &mut Chance,
    ) -> Verdict {
        let source = Source::of(claimant.address);
        if self.wrong.is_out(source, claimant.at) {
            return Verdict::Silence { wrong: false };
        }
        let mine: Vec<&Account> =
            accounts.iter().filter(|account| claimant.of.contains(&account.trunk)).collect();
        let said = request
            .headers()
            .auths(Name::Authorization)
            .find_map(|auth| self.read(&auth, realm, claimant.address));
        let Some(said) = said else { return self.ask(&mine, claimant, realm, State::New, chance) };
        match proved(&said, request, &mine, realm) {
            Some(trunk) if self.is_fresh(said.nonce, said.count, claimant.at) => Verdict::Proved(trunk),
            Some(_) => self.ask(&mine, claimant, realm, State::Stale, chance),
            None => {
                self.wrong.note(source, claimant.at);
                self.ask(&mine, claimant, realm, State::Wrong, chance)
            }
        }
    }

    /// What it says, where it answers a challenge of ours to its address; anything else counts as nothing said.
    fn read(&self, auth: &Auth<'_>, realm: &str, address: IpAddr) -> Option<Said> {
        if !auth.scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let get = |name| String::from_utf8(auth.get(name)?.into_owned()).ok();
        let text = get("nonce")?;
        let nonce = self.known(&text, address)?;
        if get("realm")? != realm {
            return None;
        }
        let word = get("algorithm");
        let algorithm = match word.as_deref() {
            None => Algorithm::Md5,
            Some(word) => [Algorithm::Md5, Algorithm::Sha256]
                .into_iter()
                .find(|algorithm| word.eq_ignore_ascii_case(algorithm.word()))?,
        };
        get("qop").filter(|qop| qop.eq_ignore_ascii_case("auth"))?;
        let nc = get("nc").filter(|nc| nc.len() == 8)?;
        let count = u32::from_str_radix(&nc, 16).ok()?;
        Some(Said {
            nonce,
            username: get("username")?,
            algorithm,
            uri: get("uri")?,
            cnonce: get("cnonce")?,
            count,
            nc,
            response: get("response")?.to_ascii_lowercase(),
            text,
        })
    }

    fn ask(
        &mut self,
        mine: &[&Account],
        claimant: Claimant<'_>,
        realm: &str,
        state: State,
        chance: &mut Chance,
    ) -> Verdict {
        let wrong = matches!(state, State::Wrong);
        if !claimant.is_near && !self.asked.takes(Source::of(claimant.address), claimant.at) {
            return Verdict::Silence { wrong };
        }
        let seconds = u32::try_from(claimant.at.as_secs()).unwrap_or(u32::MAX);
        let token = chance.token();
        let start = format!("{seconds:08x}{}", token.as_str());
        let mark = self.mark(&start, claimant.address);
        let algorithms = [Algorithm::Sha256, Algorithm::Md5];
        let wanted =
            algorithms.into_iter().filter(|algorithm| mine.iter().any(|account| takes(account, *algorithm)));
        let challenges = wanted.map(|algorithm| {
            let stale = if matches!(state, State::Stale) { ", stale=true" } else { "" };
            format!(
                "Digest realm={}, nonce=\"{start}{mark}\", algorithm={}, qop=\"auth\"{stale}",
                quoted(realm),
                algorithm.word()
            )
        });
        Verdict::Ask { challenges: Challenges(challenges.collect()), wrong }
    }

    /// What makes a nonce ours, and of one address (RFC 7616 §5.4).
    fn mark(&self, start: &str, address: IpAddr) -> String {
        let address = match address.to_canonical() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let mac = Hmac::<Sha256>::new_from_slice(&self.key).map(|mac| {
            let mac = mac.chain_update(start).chain_update(address);
            mac.finalize().into_bytes()[..16].iter().map(|octet| format!("{octet:02x}")).collect()
        });
        mac.unwrap_or_default()
    }

    fn known(&self, text: &str, address: IpAddr) -> Option<Nonce> {
        let (start, mark) = text.split_at_checked(START)?;
        let same = bool::from(self.mark(start, address).as_bytes().ct_eq(mark.as_bytes()));
        let (at, chance) = start.split_at_checked(8).filter(|_| same)?;
        Some(Nonce { at: u32::from_str_radix(at, 16).ok()?, chance: chance.into() })
    }

    /// Whether a nonce is not too old, and was not used with this count before.
    fn is_fresh(&mut self, nonce: Nonce, count: u32, at: Duration) -> bool {
        let oldest = u32::try_from(at.saturating_sub(LIFE).as_secs()).unwrap_or(u32::MAX);
        while let Some(entry) = self.used.first_entry().filter(|entry| entry.key().at < oldest) {
            entry.remove();
        }
        let is_known = self.used.contains_key(&nonce);
        if nonce.at < oldest || (nonce.at <= self.forgotten && !is_known && self.forgotten > 0) {
            return false;
        }
        if !is_known
            && self.used.len() >= NONCES
            && let Some((gone, _)) = self.used.pop_first()
        {
            self.forgotten = self.forgotten.max(gone.at);
            if nonce.at <= self.forgotten {
                return false;
            }
        }
        self.used.entry(nonce).or_default().take(count)
    }
}

/// Octets of a nonce before its mark: the time, and a token.
const START: usize = 28;

/// Why a challenge is sent.
#[derive(Debug, Clone, Copy)]
enum State {
    New,
    Stale,
    Wrong,
}

/// Whose account this proves to be. The URI it was proved for need not be the request's: proxies change that one, and some peers name our host
/// alone (RFC 3261 §22.4, rule 8); what comes again is known by its count. An account that there is not takes as long as one whose password is wrong.
fn proved(said: &Said, request: &Request, mine: &[&Account], realm: &str) -> Option<TrunkId> {
    let known = mine.iter().find(|account| *account.credentials.username == *said.username);
    let (username, password) =
        known.map_or(("", ""), |account| (&*account.credentials.username, &*account.credentials.password));
    let proof = Proof { username, password, realm, nonce: &said.text, algorithm: said.algorithm };
    let asked = said.algorithm.hash(&[request.method().as_str().as_bytes(), said.uri.as_bytes()]);
    let expected = proof.response(Some(("auth", &said.nc, &said.cnonce)), &asked);
    let is_right = bool::from(expected.as_bytes().ct_eq(said.response.as_bytes()));
    let allowed = known.is_some_and(|account| takes(account, said.algorithm));
    known.filter(|_| is_right && allowed).map(|account| account.trunk)
}

/// Whether an account may be proved so.
fn takes(account: &Account, algorithm: Algorithm) -> bool {
    match algorithm {
        Algorithm::Md5 => account.credentials.md5,
        Algorithm::Sha256 => account.sha256,
        Algorithm::Sha512 => false,
    }
}

/// Accounts in the order they are configured.
pub(crate) type Accounts = Arc<[Account]>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_of_a_nonce_is_good_once_in_any_order_within_reason() {
        let mut counts = Counts::default();
        for (count, is_new) in
            [(0, false), (1, true), (1, false), (3, true), (2, true), (2, false), (3, false), (70, true)]
        {
            assert_eq!(counts.take(count), is_new, "{count}");
        }
        for (count, is_new) in [(5, false), (6, true), (6, false), (69, true), (u32::MAX, true), (70, false)]
        {
            assert_eq!(counts.take(count), is_new, "{count}");
        }
    }

    #[test]
    fn who_asks_too_often_is_not_heard_and_others_are() {
        let mut asked = Asked::default();
        let source = |last: u8| Source::of(IpAddr::from([192, 0, 2, last]));
        let taken = |asked: &mut Asked, last, at| asked.takes(source(last), Duration::from_secs(at));
        assert_eq!((0..30).filter(|_| taken(&mut asked, 1, 5)).count(), 10);
        assert!(taken(&mut asked, 2, 5) && taken(&mut asked, 1, 6));
        let all = (0..=255).flat_map(|last| [last; 3]).filter(|last| taken(&mut asked, *last, 7)).count();
        assert_eq!((all, asked.each.len() <= 200), (200, true));
    }

    #[test]
    fn one_network_of_ipv6_is_one_source() {
        let of = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn what_is_remembered_of_nonces_is_bounded_and_what_is_forgotten_is_stale() {
        let mut guard = Guard::new(&mut Chance::new([3; 32]));
        let nonce = |at: u32, number: usize| Nonce { at, chance: format!("{number}").into() };
        let now = Duration::from_secs(100);
        for number in 0..NONCES {
            assert!(guard.is_fresh(nonce(50 + u32::from(number > 0), number), 1, now));
        }
        assert!(guard.is_fresh(nonce(60, NONCES), 1, now));
        assert_eq!(guard.used.len(), NONCES);
        assert!(!guard.is_fresh(nonce(50, 0), 2, now), "forgotten, and so it may have been used");
        assert!(guard.is_fresh(nonce(51, 9), 2, now), "still known");
        assert!(!guard.is_fresh(nonce(51, 9), 3, Duration::from_secs(352)), "too old");
        assert!(guard.used.len() <= 1, "what is too old is forgotten");
    }

    #[test]
    fn what_is_remembered_of_wrong_answers_is_bounded() {
        let mut wrong = WrongOnes::default();
        for number in 0..20_000_u32 {
            wrong.note(Source(number.into()), Duration::from_millis(number.into()));
        }
        assert_eq!((wrong.counts.len(), wrong.ends.len()), (WRONG_ONES, WRONG_ONES));
        assert!(wrong.counts.contains_key(&Source(19_999)) && !wrong.counts.contains_key(&Source(0)));
        assert!(!wrong.is_out(Source(19_999), Duration::from_secs(700)));
        assert_eq!((wrong.counts.len(), wrong.ends.len()), (0, 0));
    }
}
