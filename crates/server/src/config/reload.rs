//! What of a new configuration can take the place of the running one.

use super::Checked;

/// A running configuration changed as far as it can be without a restart.
#[derive(Debug, PartialEq)]
pub(crate) struct Reload {
    /// What holds from now on.
    pub(crate) checked: Checked,
    /// Sections and keys that differ and wait for a restart.
    pub(crate) at_restart: Vec<&'static str>,
}

impl Checked {
    /// Takes trunks, lines, the policy, hooks, what holds for the pool and the console, tokens, users, proxies and whom we believe of `next`; all else stays, and what
    /// differs of it is named.
    pub(crate) fn reloaded(&self, next: Self) -> Reload {
        let differences = [
            ("[node]", self.node != next.node),
            ("[sip]", self.sip != next.sip),
            ("[media]", self.media != next.media),
            ("prompts.dir", self.prompts != next.prompts),
            ("http.listen", self.http.listen != next.http.listen),
            ("http.certificate_file, http.key_file", self.http.proof != next.http.proof),
            ("[[webhook]]", self.webhooks != next.webhooks),
            ("[notices]", self.notices != next.notices),
            ("[recording]", self.recording != next.recording),
            ("pool.keep", self.pool.keep != next.pool.keep),
            ("[privacy]", (self.numbers, self.retention) != (next.numbers, next.retention)),
            ("[speech]", self.speech != next.speech),
            ("[trace]", (&self.trace, &self.homer) != (&next.trace, &next.homer)),
        ];
        let at_restart = differences.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name);
        let mut checked = Self {
            trunks: next.trunks,
            lines: next.lines,
            policy: next.policy,
            pool: next.pool,
            identity: next.identity,
            hooks: next.hooks,
            console: next.console,
            shown: self.shown.reloaded(&next.shown),
            ..self.clone()
        };
        checked.pool.keep = self.pool.keep;
        checked.http.tokens = next.http.tokens;
        checked.http.users = next.http.users;
        checked.http.proxies = next.http.proxies;
        Reload { at_restart: at_restart.collect(), checked }
    }
}
