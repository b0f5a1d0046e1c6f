//! The scenarios. Each takes how many rounds to do; a new one is a file and a line in the table.

mod codecs;
mod order_call;
mod parse_invite;
mod relay;
mod verify_caller;
mod write_invite;

/// A scenario: its name, and what runs it so many rounds.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(u64),
}

/// Every scenario.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "parse-invite", run: parse_invite::run },
    Scenario { name: "write-invite", run: write_invite::run },
    Scenario { name: "order-call", run: order_call::run },
    Scenario { name: "verify-caller", run: verify_caller::run },
    Scenario { name: "relay-packet", run: relay::packet },
    Scenario { name: "relay-transcoded", run: relay::transcoded },
    Scenario { name: "relay-srtp", run: relay::srtp },
    Scenario { name: "inband-packet", run: relay::inband },
    Scenario { name: "digit", run: relay::digit },
    Scenario { name: "pcma-to-g722", run: codecs::pcma_to_g722 },
    Scenario { name: "g722-to-pcma", run: codecs::g722_to_pcma },
    Scenario { name: "pcma-to-opus", run: codecs::pcma_to_opus },
    Scenario { name: "opus-to-pcma", run: codecs::opus_to_pcma },
    Scenario { name: "g722-to-opus", run: codecs::g722_to_opus },
    Scenario { name: "opus-to-g722", run: codecs::opus_to_g722 },
    Scenario { name: "opus-passed", run: codecs::opus_passed },
    Scenario { name: "relay-cut", run: codecs::cut },
];

#[cfg(test)]
mod tests {
    use super::SCENARIOS;

    /// A scenario panics where what came of it is not what its name says.
    #[test]
    fn every_scenario_does_what_it_says() {
        for scenario in SCENARIOS {
            (scenario.run)(100);
        }
    }
}
