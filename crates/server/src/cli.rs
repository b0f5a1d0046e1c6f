//! The commands and their arguments.

mod bench;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use phone::Sound;

pub(crate) use self::bench::{Backend, BenchArgs, BenchCommand, CallsArgs, RelayArgs, Rtpengine, Source};
use crate::config::duration;
use crate::{commands, serve};

/// Self-hosted number masking: one number serves every order, and nobody learns anybody's own.
#[derive(Debug, Parser)]
#[command(name = "bauta", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a call on this machine with nothing set up, and show what happened.
    Demo(DemoArgs),
    /// A scripted phone: for trying a trunk, and for tests.
    Phone(PhoneArgs),
    /// Measure: place calls on a server of its own and say what they cost.
    Bench(BenchArgs),
    /// Run the server. SIGTERM drains, SIGHUP reloads.
    Serve(ServeArgs),
    /// Tell all faults of a configuration at once; opens no socket.
    Check(CheckArgs),
    /// Put, look up, list, remove and import orders of a running server.
    Order(OrderArgs),
    /// Make, look up, list and close pairs of a running server.
    Pair(commands::pair::PairArgs),
    /// Ask for callbacks of a running server: it calls one side, then the other, and joins them.
    Callback(CallbackArgs),
    /// Tell what would happen to a call and why, without placing it.
    Simulate(SimulateArgs),
    /// Read recordings without a server.
    Recording(RecordingArgs),
    /// Make the hash of a password for [[http.user]]: asks for it twice, or reads it from standard input.
    Password,
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(self) -> Exit {
        match self.command {
            Command::Demo(args) => commands::demo::run(&args),
            Command::Phone(args) => commands::phone::run(&args),
            Command::Bench(args) => commands::bench::run(&args),
            Command::Serve(args) => serve::run(&args.config.config),
            Command::Check(args) => commands::check::run(&args),
            Command::Order(args) => commands::order::run(&args),
            Command::Pair(args) => commands::pair::run(&args),
            Command::Callback(args) => commands::callback::run(&args),
            Command::Simulate(args) => commands::simulate::run(&args),
            Command::Recording(args) => commands::recording::run(&args),
            Command::Password => commands::password::run(),
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked.
    Done,
    /// It could not.
    Failed,
    /// It was asked for something that makes no sense.
    Wrong,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Wrong => 2,
        })
    }
}

/// Which configuration.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "config/bauta.toml")]
    pub(crate) config: PathBuf,
}

/// `bauta demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where recordings, record and ladder are left; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "bauta-demo")]
    pub(crate) out: PathBuf,
    /// What the two hear: "ru" or "en".
    #[arg(long, value_name = "LANGUAGE", default_value = "en", value_parser = ["ru", "en"])]
    pub(crate) language: String,
    /// Two people of a pair call each other, there and back, without a code.
    #[arg(long)]
    pub(crate) pairs: bool,
    /// A callback: one is called, then the other, as a click in a browser would have it.
    #[arg(long, conflicts_with = "pairs")]
    pub(crate) callback: bool,
}

/// `bauta phone`.
#[derive(Debug, Args)]
pub(crate) struct PhoneArgs {
    #[command(subcommand)]
    pub(crate) command: PhoneCommand,
}

/// Which end of a call.
#[derive(Debug, Subcommand)]
pub(crate) enum PhoneCommand {
    /// Call someone. Exit 1 if there is no answer, or the expected tone is not heard.
    Dial(DialArgs),
    /// Wait for one call.
    Answer(AnswerArgs),
    /// Register, and take that back at once. Exit 1 if the carrier does not take it.
    Register(RegisterArgs),
}

/// Who a phone is at a carrier that asks for proof.
#[derive(Debug, Args)]
pub(crate) struct AccountArgs {
    /// Its name there.
    #[arg(long, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// Its password, in a file; without one, in the environment as BAUTA_PHONE_PASSWORD.
    #[arg(long, value_name = "FILE", requires = "username")]
    pub(crate) password_file: Option<PathBuf>,
    /// Prove it to this realm only.
    #[arg(long, value_name = "REALM", requires = "username")]
    pub(crate) realm: Option<String>,
    /// Its address there, sip:USER@HOST [default: the name at the carrier's host].
    #[arg(long, value_name = "ADDRESS", requires = "username")]
    pub(crate) aor: Option<String>,
}

/// `bauta phone register`.
#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// Where: sip:HOST:PORT.
    pub(crate) registrar: String,
    /// How long a binding is asked for.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration::parse)]
    pub(crate) expires: Duration,
    /// Its own address [default: the one that leads there, any port].
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) bind: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    /// At most so long in all.
    #[arg(long = "for", value_name = "TIME", default_value = "40s", value_parser = duration::parse)]
    pub(crate) patience: Duration,
    /// One JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a phone says and hears.
#[derive(Debug, Args)]
pub(crate) struct VoiceArgs {
    /// What it says: a WAV file of 8000 samples a second, "tone:440", or "silence".
    #[arg(long, value_name = "FILE", default_value = "silence", value_parser = sound)]
    pub(crate) play: Sound,
    /// Where to keep what it heard, as WAV.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// A tone that must be heard, in hertz.
    #[arg(long, value_name = "HERTZ")]
    pub(crate) expect_tone: Option<f32>,
    /// Hang up so long after the expected tone; without one, after the last key or the answer.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) talk: Option<Duration>,
    /// Keys to press once answered.
    #[arg(long, value_name = "KEYS", default_value = "", value_parser = keys)]
    pub(crate) digits: String,
    /// At most so long in all.
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub(crate) patience: Duration,
    /// One JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `bauta phone dial`.
#[derive(Debug, Args)]
pub(crate) struct DialArgs {
    /// Whom: sip:NUMBER@HOST:PORT.
    pub(crate) to: String,
    /// The number it calls from.
    #[arg(long, value_name = "NUMBER", default_value = "anonymous")]
    pub(crate) from: String,
    /// Its own address [default: the one that leads there, any port].
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) bind: Option<SocketAddr>,
    /// From the answer to the first key.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration::parse)]
    pub(crate) after: Duration,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    #[command(flatten)]
    pub(crate) voice: VoiceArgs,
}

/// `bauta phone answer`.
#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// Where it waits.
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) bind: SocketAddr,
    /// How long it rings.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration::parse)]
    pub(crate) after: Duration,
    /// Refuse with this status instead of answering.
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(400..=699))]
    pub(crate) refuse: Option<u16>,
    /// Register at this carrier first, sip:HOST:PORT, and take that back in the end.
    #[arg(long, value_name = "REGISTRAR", requires = "username")]
    pub(crate) register: Option<String>,
    /// How long a binding is asked for.
    #[arg(long, value_name = "TIME", default_value = "10m", requires = "register", value_parser = duration::parse)]
    pub(crate) expires: Duration,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    #[command(flatten)]
    pub(crate) voice: VoiceArgs,
}

fn sound(text: &str) -> Result<Sound, String> {
    Sound::parse(text).map_err(|error| error.to_string())
}

fn keys(text: &str) -> Result<String, String> {
    match text.chars().find(|key| rtp::telephone_event::code(*key).is_none()) {
        Some(key) => Err(format!("{key:?} is on no phone; keys are 0-9, *, #, A-D")),
        None => Ok(text.to_owned()),
    }
}

/// `bauta serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// `bauta check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Write the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which server, and how it is to be told.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The server's HTTP address.
    #[arg(long, env = "BAUTA_URL", default_value = "http://127.0.0.1:8080", global = true)]
    pub(crate) url: String,
    /// A token of the server.
    #[arg(long, env = "BAUTA_TOKEN", hide_env_values = true, global = true)]
    pub(crate) token: Option<String>,
    /// Write the result as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// `bauta callback`.
#[derive(Debug, Args)]
pub(crate) struct CallbackArgs {
    #[command(subcommand)]
    pub(crate) command: CallbackCommand,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What is done about callbacks.
#[derive(Debug, Subcommand)]
pub(crate) enum CallbackCommand {
    /// Ask for one.
    Create(CreateArgs),
    /// Show one and what became of it.
    Get {
        /// Its id.
        id: String,
    },
    /// Show them, the last asked for first.
    List(CallbackListArgs),
    /// Cancel one. Exit 1 if it had come too far.
    Cancel(CancelArgs),
}

/// `bauta callback create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Who is called first; several times for several.
    #[arg(long, value_name = "NUMBER", required = true)]
    pub(crate) first: Vec<String>,
    /// Who is called then; several times for several.
    #[arg(long, value_name = "NUMBER", required = true)]
    pub(crate) second: Vec<String>,
    /// How several of the first side are called.
    #[arg(long, value_name = "STRATEGY", value_parser = STRATEGIES)]
    pub(crate) first_strategy: Option<String>,
    /// How several of the second side are called.
    #[arg(long, value_name = "STRATEGY", value_parser = STRATEGIES)]
    pub(crate) second_strategy: Option<String>,
    /// The line whose manner it has, and which both see [default: the only one].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) line: Option<String>,
    /// The plan it is made by.
    #[arg(long, value_name = "NAME")]
    pub(crate) plan: Option<String>,
    /// When it begins, as RFC 3339 [default: now].
    #[arg(long, value_name = "WHEN")]
    pub(crate) at: Option<String>,
    /// How long they may talk [default: as the line has it].
    #[arg(long = "max", value_name = "TIME", value_parser = duration::parse)]
    pub(crate) longest: Option<Duration>,
    /// Anything, as JSON; comes back in records and events.
    #[arg(long, value_name = "JSON")]
    pub(crate) data: Option<String>,
}

const STRATEGIES: [&str; 3] = ["in-order", "at-once", "random"];

/// `bauta callback list`.
#[derive(Debug, Args)]
pub(crate) struct CallbackListArgs {
    /// Only those in which this number is to be called.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) number: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<usize>,
}

/// `bauta callback cancel`.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// Its id.
    pub(crate) id: String,
    /// Only while no phone has rung, while nobody has answered, or at any time.
    #[arg(long, value_name = "WHEN", default_value = "any", value_parser = ["not-ringing", "not-answered", "any"])]
    pub(crate) when: String,
}

/// `bauta order`.
#[derive(Debug, Args)]
pub(crate) struct OrderArgs {
    #[command(subcommand)]
    pub(crate) command: OrderCommand,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What can be done with orders.
#[derive(Debug, Subcommand)]
pub(crate) enum OrderCommand {
    /// Bind a code to a courier and a client; replaces the order that has the code.
    Put(PutArgs),
    /// Show one order.
    Get(NameArgs),
    /// Show all orders, or those of a line or a number.
    List(ListArgs),
    /// Remove one order.
    Rm(NameArgs),
    /// Put many orders from a CSV or NDJSON file.
    Import(ImportArgs),
}

/// `bauta order put`.
#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// What is keyed.
    pub(crate) code: String,
    /// The courier's number.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) courier: String,
    /// The client's number.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) client: String,
    /// The language the courier hears, if not the line's.
    #[arg(long, value_name = "LANGUAGE")]
    pub(crate) courier_language: Option<String>,
    /// The language the client hears, if not the line's.
    #[arg(long, value_name = "LANGUAGE")]
    pub(crate) client_language: Option<String>,
    /// How long it lives: 45m, 12h, 10d [default: 10d].
    #[arg(long, value_name = "TIME")]
    pub(crate) ttl: Option<String>,
    /// Until when it lives, as RFC 3339.
    #[arg(long, value_name = "WHEN", conflicts_with = "ttl")]
    pub(crate) expires_at: Option<String>,
    /// The line it is for [default: every line].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) line: Option<String>,
    /// Anything, as JSON; comes back in records and events.
    #[arg(long, value_name = "JSON")]
    pub(crate) data: Option<String>,
}

/// Which order.
#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// Its code.
    pub(crate) code: String,
    /// Its line, where several have the code.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) line: Option<String>,
}

/// `bauta order list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those of this line; "none" for those of no line.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) line: Option<String>,
    /// Only those with this courier or client.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) number: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<usize>,
}

/// `bauta order import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file; "-" for standard input. CSV has a row of names: code, courier_number, client_number and, as needed,
    /// courier_language, client_language, ttl_seconds, expires_at, line, data.
    pub(crate) file: String,
    /// What it is, where its name does not tell.
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

/// How a file of orders is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A row of names, then a row for each order; separated by comma, semicolon or tab.
    Csv,
    /// A JSON object on each line.
    Ndjson,
}

/// `bauta simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Who calls; "anonymous" for a caller who withholds the number.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) from: String,
    /// The number dialled.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) to: String,
    /// What is keyed: 0-9, *, #.
    #[arg(long, default_value = "")]
    pub(crate) digits: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// `bauta recording`.
#[derive(Debug, Args)]
pub(crate) struct RecordingArgs {
    #[command(subcommand)]
    pub(crate) command: RecordingCommand,
}

/// What can be done with recordings.
#[derive(Debug, Subcommand)]
pub(crate) enum RecordingCommand {
    /// Write a sealed recording in the clear. Exit 1 if it is damaged, cut, or sealed with another key.
    Decrypt(DecryptArgs),
}

/// `bauta recording decrypt`.
#[derive(Debug, Args)]
pub(crate) struct DecryptArgs {
    /// The recording, as it lies in recording.dir.
    pub(crate) file: PathBuf,
    /// A file with the key; may be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) key_file: Vec<PathBuf>,
    /// Where it is written; must not be there yet.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_agree_with_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_servers_address_may_stand_before_or_behind_what_is_done() {
        for line in ["bauta order --url http://a get 1", "bauta order get 1 --url http://a"] {
            let Command::Order(args) = Cli::try_parse_from(line.split(' ')).unwrap().command else {
                panic!("{line} is an order command");
            };
            assert_eq!(args.server.url, "http://a");
        }
    }
}
