//! What each part of the server wants of the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use api::webhooks::Template;
use b2bua::{Account, AgentConfig, AgentListener, Language, Limits, MediaAddress, ScriptSettings, TrunkId};

use number::Number;
use store::Quiet;

use super::notices;
use super::{Checked, Hooked, Line, Operator, Service, Trunk, Webhook};

/// How often RTCP goes out (RFC 3550 §6.2).
const RTCP_INTERVAL: Duration = Duration::from_secs(5);
/// Numbers remembered for lock-out: some megabytes, and more guessers than a trunk can carry.
const LOCKOUTS: usize = 100_000;
/// Transactions of one call: INVITE, BYE or CANCEL and what re-INVITEs leave behind, on two legs.
const TRANSACTIONS_PER_CALL: usize = 8;
/// A store that lets an answer wait for so long has more to do than it can.
const STORE_DELAY: Duration = Duration::from_secs(1);
/// Requests of one webhook under way at once.
const POSTS_AT_ONCE: usize = 16;

impl Checked {
    /// What the switchboard must know. `ports` are those the relay holds, by media address and then by worker;
    /// `languages` are those of the prompt library, in its order. Names are still to be resolved.
    ///
    /// `None` where a line speaks a language the library has not.
    pub(crate) fn switchboard(
        &self,
        epoch_ms: u64,
        ports: &[Vec<Vec<u16>>],
        languages: &[String],
    ) -> Option<b2bua::Config> {
        let media = self.media.addresses.iter().zip(ports).map(|(address, ports)| MediaAddress {
            local: address.local,
            public: address.public,
            ports: ports.clone(),
        });
        Some(b2bua::Config {
            epoch_ms,
            trunks: self.trunks.iter().map(Trunk::carrier).collect(),
            lines: self.lines.iter().map(|line| line.answered(languages)).collect::<Option<_>>()?,
            ua: self.agent(),
            media: media.collect(),
            codecs: self.media.codecs.clone(),
            xr: self.media.xr,
            recordings: self.recording.files.suffix().into(),
            own: None,
            limits: Limits {
                calls: self.sip.max_calls,
                calls_per_second: self.sip.calls_per_second,
                busy_status: self.sip.busy_status,
                delay: self.sip.max_delay,
                store_delay: STORE_DELAY,
                port_rest: self.media.port_rest,
                lockouts: LOCKOUTS,
            },
            guards: self.policy.guards.clone(),
        })
    }

    fn agent(&self) -> AgentConfig {
        let listeners = self.sip.listeners.iter();
        AgentConfig {
            timing: self.sip.timing,
            listeners: listeners
                .map(|listener| AgentListener {
                    transport: listener.transport,
                    public: listener.public.clone(),
                })
                .collect(),
            product: "Bauta".to_owned(),
            transactions: self.transactions(),
            sessions: self.sip.sessions,
            accounts: self.accounts(),
            realm: self.sip.realm.clone(),
        }
    }

    /// What callers must prove, by the trunks' places.
    fn accounts(&self) -> Vec<Account> {
        let trunks = self.trunks.iter().zip(0..);
        let accounts = trunks.filter_map(|(trunk, place)| {
            let inbound = trunk.inbound.as_ref()?;
            let credentials = Arc::clone(&inbound.credentials);
            Some(Account { trunk: TrunkId(place), credentials, sha256: inbound.sha256 })
        });
        accounts.collect()
    }

    /// Those of the calls there may be at once, and of those that may have ended a moment ago: over UDP a transaction
    /// outlives its call by 64*T1 (RFC 3261 §17.2.2 timer J, RFC 6026 §7 timers L and M).
    fn transactions(&self) -> usize {
        let afterwards = self.sip.timing.patience().as_millis().div_ceil(1000);
        let afterwards = usize::try_from(afterwards).unwrap_or(usize::MAX);
        let ended = (self.sip.calls_per_second as usize).saturating_mul(afterwards);
        self.sip.max_calls.saturating_add(ended).saturating_mul(TRANSACTIONS_PER_CALL).max(1000)
    }

    /// What every worker of the relay must know.
    pub(crate) fn relay(&self) -> rtp::Settings {
        rtp::Settings {
            addresses: self.media.addresses.iter().map(|address| address.local).collect(),
            public: self.media.addresses.iter().map(|address| address.public).collect(),
            ports: self.media.ports.range(),
            others: BTreeSet::new(),
            silence: self.media.rtp_timeout,
            rtcp_interval: RTCP_INTERVAL,
            inband: self.media.inband,
        }
    }

    /// The numbers that pairs are given.
    pub(crate) fn pool(&self) -> Vec<store::PoolNumber> {
        let given = |line: &Line| match line.service {
            Service::Orders | Service::Hook | Service::Reserve => None,
            Service::Pairs { reserved, .. } => Some(store::PoolNumber { number: line.number, reserved }),
        };
        self.lines.iter().filter_map(given).collect()
    }

    /// Who is told of events: webhooks, and parties of new orders.
    pub(crate) fn receivers(&self) -> Vec<api::webhooks::Webhook> {
        let notices = [b2bua::Role::Courier, b2bua::Role::Client].map(|role| self.notice(role));
        self.webhooks.iter().map(Webhook::receiver).chain(notices.into_iter().flatten()).collect()
    }

    fn notice(&self, role: b2bua::Role) -> Option<api::webhooks::Webhook> {
        let notices = self.notices.as_ref()?;
        let line = notices.line.or(self.lines.first().map(|line| line.number))?;
        let template = Template {
            role,
            method: notices.method.parse().ok()?,
            url: notices.url.clone(),
            headers: notices.headers.clone(),
            kind: notices.kind,
            body: notices.body.clone(),
            texts: notices.texts.clone(),
            secret: notices.secret.clone(),
            line,
            languages: self.lines.iter().map(|line| (line.number, line.language.clone())).collect(),
        };
        Some(api::webhooks::Webhook {
            name: format!("{}{}", notices::QUEUE, role.word()),
            url: notices.url.clone(),
            post: api::webhooks::Post::Notice(Box::new(template)),
            events: api::Filter::parse(["order.put"]).ok()?,
            timeout: notices.timeout,
            schedule: notices.retry.clone(),
            at_once: POSTS_AT_ONCE,
        })
    }

    /// When the parties of calls are left in peace, by line.
    pub(crate) fn quiet(&self) -> BTreeMap<Number, Quiet> {
        self.lines.iter().filter_map(|line| Some((line.number, line.quiet.clone()?))).collect()
    }

    /// What the API must know. `languages` are those of the prompt library, in its order.
    pub(crate) fn api(&self, languages: &[String], privacy: api::Privacy) -> api::Settings {
        let orders = self.lines.iter().filter(|line| line.service == Service::Orders);
        api::Settings {
            plan: self.node.plan,
            tokens: self.http.tokens.iter().map(|token| token.token.clone()).collect(),
            users: self.http.users.clone(),
            console: api::ConsoleSettings {
                enabled: self.console.enabled,
                title: self.console.title.clone(),
                session: self.console.session,
                idle: self.console.idle,
                card: false,
            },
            proxies: self.http.proxies.clone(),
            lines: orders.map(|line| (line.number, line.manner.code_length)).collect(),
            every_line: self.lines.iter().map(|line| line.number).collect(),
            pool: api::PoolSettings {
                ours: self.lines.iter().map(|line| line.number).collect(),
                cool_off: self.pool.cool_off,
                validate: self.pool.validate,
                countries: self.pool.countries.clone(),
            },
            languages: languages.to_vec(),
            webhooks: self.receivers().into_iter().map(|webhook| webhook.name).collect(),
            recordings: self.recording.files.clone(),
            privacy,
        }
    }
}

impl Trunk {
    fn carrier(&self) -> b2bua::Trunk {
        b2bua::Trunk {
            name: self.name.as_str().into(),
            allow: self.allow.clone(),
            certificate: self.certificate.clone(),
            inbound: self.inbound.is_some(),
            targets: Vec::new(),
            host: self.destination.host_port().into(),
            trust: self.trust,
            verify: self.verify,
            domain: self.destination.host_in_uri().into(),
            profile: self.profile.clone(),
            srtp: self.srtp,
            credentials: self.credentials.clone(),
            registration: self.registration.clone(),
            ping: self.usage.ping,
            attempt_timeout: self.usage.attempt_timeout,
            max_calls: self.usage.max_calls,
            calls_per_second: self.usage.calls_per_second,
        }
    }
}

impl Line {
    pub(super) fn answered(&self, languages: &[String]) -> Option<b2bua::Line> {
        let language = languages.iter().position(|language| *language == self.language)?;
        let manner = &self.manner;
        Some(b2bua::Line {
            number: self.number,
            trunks: self.trunks.clone(),
            language: Language(u8::try_from(language).ok()?),
            operator: self.operator.as_ref().map(Operator::called),
            policy: manner.policy,
            record: manner.record,
            record_notice: manner.record_notice,
            record_refuse: manner.record_refuse,
            dial: manner.dial.clone(),
            blocked: manner.blocked,
            whisper: manner.whisper,
            confirm: manner.confirm.then_some(manner.input_timeout),
            answer: manner.answer,
            answer_after: manner.answer_after,
            ring_timeout: manner.ring_timeout,
            early_media: manner.early_media,
            max_call: manner.max_call,
            warning: manner.warning,
            service: match self.service {
                Service::Orders => b2bua::Service::Orders(self.orders()),
                Service::Reserve => b2bua::Service::Reserve,
                Service::Hook => b2bua::Service::Hook(b2bua::HookLine {
                    hook: self.hooked.hook.as_deref()?.into(),
                    answers_first: self.hooked.answers_first,
                }),
                Service::Pairs { strangers, .. } => b2bua::Service::Pairs(strangers),
            },
            hooks: self.hooked.hooks(),
        })
    }

    fn orders(&self) -> b2bua::Orders {
        let manner = &self.manner;
        b2bua::Orders {
            script: ScriptSettings {
                code_length: manner.code_length,
                hint_after: manner.hint_after,
                input_timeout: manner.input_timeout,
                code_attempts: manner.code_attempts,
                operator: self.operator.is_some(),
            },
            redial: manner.redial,
            ask_when_needed: manner.ask_when_needed,
            lockout: manner.lockout,
        }
    }
}

impl Hooked {
    fn hooks(&self) -> b2bua::Hooks {
        let approval = self.approval.as_deref();
        b2bua::Hooks {
            failure: self.failure,
            strangers: self.strangers.as_deref().map(Into::into),
            approval: approval.map(|hook| b2bua::Approval { hook: hook.into(), is_open: self.is_open }),
        }
    }
}

impl Operator {
    fn called(&self) -> b2bua::Operator {
        match self {
            Self::Number(number) => b2bua::Operator::Number(*number),
            Self::Uri { uri, .. } => b2bua::Operator::Uri { uri: uri.as_str().into(), flow: None },
        }
    }
}

impl Webhook {
    /// As the deliverer wants it.
    pub(crate) fn receiver(&self) -> api::webhooks::Webhook {
        api::webhooks::Webhook {
            name: self.name.clone(),
            url: self.url.to_string(),
            post: api::webhooks::Post::Event { secret: self.secret.as_bytes().into() },
            events: self.events.clone(),
            timeout: self.timeout,
            schedule: self.retry.clone(),
            at_once: POSTS_AT_ONCE,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::parse;

    #[test]
    fn transactions_of_calls_just_ended_keep_no_new_call_out() {
        let text = "[sip]\npublic_address = \"192.0.2.1\"\nmax_calls = 10\ncalls_per_second = 50\n\
                    [[trunk]]\nname = \"main\"\nuri = \"sip:192.0.2.7\"\nnumbers = [\"+78005550101\"]\n\
                    [[line]]\nnumber = \"+78005550101\"\n";
        let checked = parse(text, Path::new("bauta.toml"), &|_| None).checked.unwrap();
        // Four of each call that ended in the last 32 s: an INVITE and a BYE on two legs.
        assert!(checked.agent().transactions >= 10 * 4 + 50 * 32 * 4);
    }
}
