//! What is refused, where, and with what words.

use number::Number;

use super::super::*;
use super::{LEAST, fault, faults, good, outcome};

#[test]
fn ten_faults_are_ten_remarks_in_the_order_of_the_file() {
    let told = faults(include_str!("../../../tests/faulty.toml"));
    let expected = [
        "2 node.country: no dialling plan for country \"XX\"",
        "3 node.drain: there is no key \"drain\"; did you mean \"drain_seconds\"?",
        "6 sip.listen[1]: wss:// is not available yet; listen on udp://, tcp:// or tls://",
        "10 media.ports: ports come in pairs, RTP on the even one",
        "15 trunk[0].allow[1]: \"192.0.2.300\" is no range of addresses",
        "17 trunk[0].srtp: is true or false; write one of \"off\", \"offered\", \"required\"",
        "20 line[0].number: +78005550102 is not among the numbers trunk \"main\" owns; add it to trunk.numbers",
        "22 line[0].warning: the warning comes before max_call has passed",
        "25 http.token[0].role: \"root\" means nothing here; write one of \"admin\", \"app\", \"operator\", \"metrics\"",
        "26 http.token[0].token: has 5 characters; at least 16 are needed",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
}

#[test]
fn text_that_is_no_toml_is_told_line_and_column() {
    let places = |text: &str| {
        let remarks = outcome(text).checked.unwrap_err();
        assert!(remarks.iter().all(|remark| remark.text.starts_with("is no TOML here: ")), "{remarks:?}");
        let place = |remark: &Remark| remark.position.map(|position| (position.line, position.column));
        remarks.iter().filter_map(place).collect::<Vec<_>>()
    };
    assert_eq!(places("[node]\nname = \"a\"\nname = \"b\"\n"), [(3, 1)]);
    assert_eq!(places("[node]\nname = x\n[sip]\n\nt1 = \"1s\n"), [(2, 8), (5, 9)]);
    assert_eq!(places("[sip]\nlisten = [\n\"udp://0.0.0.0\"\n[media]\n[node]\n[http]\n"), [(4, 1)]);
}

#[test]
fn a_file_without_anything_is_told_what_is_needed() {
    let told = faults("");
    let keys: Vec<&str> = told.iter().map(|fault| fault.split(": ").next().unwrap()).collect();
    assert_eq!(keys, ["1 sip.public_address", "1 trunk", "1 line"]);
}

#[test]
fn a_line_presents_only_a_number_its_trunk_owns() {
    let two = |line: &str| {
        fault(|text| {
            *text = text.replace("sip:192.0.2.7", "sip:192.0.2.7:5060");
            text.push_str(
                "[[trunk]]\nname = \"other\"\nuri = \"sip:192.0.2.8\"\nnumbers = [\"+78005550102\"]\n",
            );
            *text = text.replacen(
                "number = \"+78005550101\"\n",
                &format!("number = \"+78005550101\"\n{line}\n"),
                1,
            );
        })
    };
    assert!(two("trunk = \"other\"").contains("is not among the numbers trunk \"other\" owns"));
    assert!(two("").contains("line[0].trunk: is missing: by which trunk"));
    assert!(two("trunk = \"third\"").contains("there is no trunk \"third\"; there are: main, other"));
}

#[test]
fn who_is_registered_has_a_name_and_who_is_not_has_no_use_for_it() {
    let trunk = |lines: &str| fault(|text| *text = text.replace("[[line]]", &format!("{lines}\n[[line]]")));
    assert!(trunk("register = true").contains("trunk[0].register: as whom?"));
    assert!(trunk("register_expires = \"1h\"").contains("means nothing without register = true"));
    let odd = trunk("username = \"a b\"\npassword = \"c\"\nregister = true");
    assert!(odd.contains("trunk[0].username: cannot stand in an address; write aor"), "{odd}");
    for aor in ["sip:host", "sip:a@host;lr", "tel:+7", "a@host", "sip:a:b@host"] {
        let told = trunk(&format!("username = \"a\"\npassword = \"c\"\nregister = true\naor = {aor:?}"));
        assert!(told.contains("trunk[0].aor") && told.contains("is no address of record"), "{told}");
    }
    let named = LEAST.replace("sip:192.0.2.7", "sip:carrier.example");
    assert!(faults(&named)[0].contains("trunk[0].allow: is missing"));
    let lines = "username = \"a\"\npassword = \"c\"\nregister = true\n[[line]]";
    assert!(good(&named.replace("[[line]]", lines)).trunks[0].allow.is_empty(), "known by its contact");
}

#[test]
fn a_busy_status_says_that_there_is_no_room_now() {
    let sip = |lines: &str| fault(|text| *text = text.replacen("[sip]", &format!("[sip]\n{lines}"), 1));
    for status in ["404", "503.5", "-1", "99999999", "\"busy\""] {
        let told = sip(&format!("busy_status = {status}"));
        assert!(told.contains("sip.busy_status"), "{told}");
    }
    assert!(sip("busy_status = 404").contains("write 480, 486, 500, 503, 600 or 603"));
    assert!(sip("max_delay = \"5ms\"").contains("sip.max_delay"));
}

#[test]
fn homer_is_told_by_datagrams_of_what_is_kept() {
    let trace = |lines: &str| faults(&format!("{LEAST}[trace]\n{lines}"));
    for server in ["", "udp://", "tcp://homer", "homer:9060", "udp://a b", "udp://a@homer", "udp://homer;x=1"]
    {
        let told = trace(&format!("homer = {server:?}"));
        assert!(told[0].contains("trace.homer: "), "{told:?}");
    }
    assert!(trace("homer_id = 7")[0].contains("trace.homer_id: means nothing without homer"));
    assert!(trace("calls = 0\nhomer = \"udp://homer\"")[0].contains("trace.calls: Homer is told of"));
    let homer = |lines: &str| good(&format!("{LEAST}[trace]\n{lines}")).homer.expect("there is one");
    assert_eq!(
        (homer("homer = \"udp://homer\"").server.as_str(), homer("homer = \"udp://homer\"").id),
        ("homer:9060", 2001)
    );
    let whole = homer("homer = \"udp://[2001:db8::60]:9\"\nhomer_id = 7\nhomer_key = \"k\"");
    assert_eq!((whole.server.as_str(), whole.id, whole.key.as_deref()), ("[2001:db8::60]:9", 7, Some("k")));
}

#[test]
fn tls_needs_files_that_fit_and_a_listener() {
    let sip = |lines: &str| fault(|text| *text = text.replacen("[sip]", &format!("[sip]\n{lines}"), 1));
    assert!(sip("key_file = \"/nowhere\"").contains("sip.key_file: means nothing without a tls:// address"));
    let listen = "listen = [\"udp://192.0.2.1\", \"tls://192.0.2.1\"]";
    let told =
        sip(&format!("{listen}\ncertificate_file = \"/nowhere/a.pem\"\nkey_file = \"/nowhere/a.key\""));
    assert!(told.contains("sip.certificate_file: /nowhere/a.pem"), "{told}");
    let missing = sip(&format!("{listen}\ncertificate_file = \"/nowhere/a.pem\""));
    assert!(missing.contains("sip.key_file: is missing"), "{missing}");
    let twice = sip("listen = [\"udp://192.0.2.1\", \"tcp://192.0.2.1:5061\", \"tls://192.0.2.1\"]\n");
    assert!(twice.contains("listened on twice"), "{twice}");
    assert!(sip("nameservers = [\"dns.example\"]").contains("sip.nameservers[0]"));
    let trunk = |line: &str| fault(|text| *text = text.replace("[[line]]", &format!("{line}\n[[line]]")));
    assert!(trunk("certificate = \"a b\"").contains("is no host name"));
    let by_tls = fault(|text| *text = text.replace("sip:192.0.2.7", "sip:192.0.2.7;transport=tls"));
    assert!(by_tls.contains("is reached over tls, and sip.listen has no tls:// address"), "{by_tls}");
}

#[test]
fn how_a_trunk_wants_numbers_is_said_in_words_it_knows() {
    let trunk = |line: &str| fault(|text| *text = text.replace("[[line]]", &format!("{line}\n[[line]]")));
    for (line, why) in [
        ("country = \"XX\"", "no dialling plan for country"),
        ("format = \"e164\"", "means nothing here"),
        ("prefix = \"+7\"", "cannot be dialled"),
        ("strip = \"x\"", "cannot be dialled"),
        ("from = \"account\"", "trunk[0].from: which account?"),
        ("present = [\"asserted\", \"asserted\"]", "names a header twice"),
        ("asserted = true", "write present"),
    ] {
        let told = trunk(line);
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn several_trunks_are_all_there_and_stand_once() {
    let line = |trunk: &str| fault(|text| text.push_str(&format!("trunk = {trunk}\n")));
    assert!(line("[]").contains("line[0].trunk: is empty"));
    assert!(line("[\"main\", \"main\"]").contains("\"main\" stands here twice"));
    assert!(line("[\"main\", \"third\"]").contains("there is no trunk \"third\""));
    assert!(line("{ main = -1 }").contains("line[0].trunk: main: "));
}

#[test]
fn names_and_numbers_stand_once() {
    let again = |more: &str| fault(|text| text.push_str(more));
    assert!(
        again("[[line]]\nnumber = \"8 800 555-01-01\"\n")
            .contains("line[1].number: +78005550101 is a [[line]] already")
    );
    let trunk = "[[trunk]]\nname = \"main\"\nuri = \"sip:192.0.2.8\"\nnumbers = []\n";
    let told =
        fault(|text| *text = format!("{}{trunk}", text.replace("[[line]]", "[[line]]\ntrunk = \"main\"")));
    assert!(told.contains("trunk[1].name: another [[trunk]] has this name"), "{told}");
    let token = "[[http.token]]\nrole = \"app\"\ntoken = \"0123456789abcdef\"\n";
    assert!(again(&token.repeat(2)).contains("http.token[1].token: another"));
    let hook = "[[webhook]]\nurl = \"https://shop.example/\"\nsecret = \"0123456789abcdef\"\n";
    assert!(again(&hook.repeat(2)).contains("webhook[1].name: another webhook has this name"));
    let told =
        fault(|text| *text = text.replace("[\"+78005550101\"]", "[\"+78005550101\", \"88005550101\"]"));
    assert!(told.contains("trunk[0].numbers[1]: +78005550101 stands here twice"), "{told}");
}

#[test]
fn callers_who_are_answered_late_are_told_nothing_before() {
    let line = |more: &str| fault(|text| text.push_str(&format!("answer = \"when-answered\"\n{more}")));
    let pairs = "service = \"pairs\"\n";
    for (more, why) in [
        (String::new(), "line[0].answer: \"when-answered\" is for lines with service"),
        (format!("{pairs}answer_after = \"2s\"\n"), "line[0].answer_after: means nothing"),
        (format!("{pairs}early_media = \"pass\"\n"), "line[0].early_media: means nothing"),
        (
            format!("{pairs}record = true\nrecord_notice = \"caller\"\n"),
            "line[0].record_notice: needs answer",
        ),
        (format!("{pairs}ring_timeout = \"3m\"\n"), "line[0].ring_timeout: is at most 150s"),
    ] {
        let told = line(&more);
        assert!(told.contains(why), "{more}: {told}");
    }
}

#[test]
fn a_range_of_numbers_is_a_range_and_each_of_them_stands_once() {
    let line = |number: &str| {
        fault(|text| {
            *text = text.replace("[\"+78005550101\"]", "\"+78005550000..+78005559999\"");
            text.push_str(&format!("[[line]]\nnumber = {number}\n"));
        })
    };
    for (number, why) in [
        ("\"+78005550200..+78005550100\"", "line[1].number: +78005550200..+78005550100 is no range"),
        ("\"+7800..+78005550100\"", "is no range"),
        ("\"+78005550000..nobody\"", "\"nobody\" is no telephone number"),
        ("\"+78005550000..+78005560000\"", "has 10001 numbers; a range has at most 10000"),
        ("[]", "line[1].number: is empty"),
        (
            "[\"+78005550200\", \"+78005550000..+78005550300\"]",
            "line[1].number: +78005550101 is a [[line]] already",
        ),
        (
            "\"+78005559990..+78005560009\"",
            "line[1].number: +78005560000 is not among the numbers trunk \"main\" owns",
        ),
    ] {
        let told = line(number);
        assert!(told.contains(why), "{number}: {told}");
    }
}

#[test]
fn a_call_comes_by_one_trunk_only() {
    let with = |allow: &str| {
        let trunk =
            format!("[[trunk]]\nname = \"b\"\nuri = \"sip:198.51.100.1\"\nnumbers = []\nallow = {allow}\n");
        format!("{}{trunk}", LEAST.replace("[[line]]", "[[line]]\ntrunk = \"main\""))
    };
    let told = faults(&with("[\"192.0.2.0/24\"]"));
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("trunk[1].allow[0]: overlaps 192.0.2.7/32 of trunk \"main\""), "{told:?}");
    assert!(faults(&with("[\"192.0.2.8/29\", \"2001:db8::/32\"]")).is_empty());
    assert!(faults(&with("[]"))[0].contains("trunk[1].allow: is empty"));
    let everyone = outcome(&LEAST.replace("uri", "allow = \"0.0.0.0/0\"\nuri"));
    assert!(everyone.warnings.iter().any(|warning| warning.text.contains("lets everyone")), "{everyone:?}");
}

#[test]
fn a_trunk_with_a_name_must_say_whom_it_allows() {
    let told = fault(|text| *text = text.replace("sip:192.0.2.7", "sip:sip.carrier.example"));
    assert!(told.contains("trunk[0].allow: is missing: the addresses calls come in from"), "{told}");
}

#[test]
fn a_trunk_is_reached_from_a_listener_of_its_transport_and_family() {
    let tcp = fault(|text| {
        *text = text
            .replace("192.0.2.7\"", "192.0.2.7;transport=tcp\"")
            .replace("[sip]", "[sip]\nlisten = \"udp://0.0.0.0\"")
    });
    assert!(tcp.contains("trunk[0].uri: is reached over tcp, and sip.listen has no tcp:// address"), "{tcp}");
    let v6 = fault(|text| *text = text.replace("sip:192.0.2.7", "sip:[2001:db8::7]"));
    assert!(v6.contains("is an IPv6 address, and sip.listen has no udp:// address of that family"), "{v6}");
}

#[test]
fn peers_must_be_told_an_address_they_can_reach() {
    let told = faults(&LEAST.replace("public_address = \"192.0.2.1\"", ""));
    assert_eq!(
        told,
        [
            "2 sip.public_address: 0.0.0.0 in sip.listen stands for every address of this machine; write here the one peers see"
        ]
    );
    let named = LEAST.replace("public_address = \"192.0.2.1\"", "listen = \"udp://192.0.2.1:5080\"");
    assert_eq!(good(&named).sip.listeners[0].public, "192.0.2.1:5080");
    for wrong in ["0.0.0.0", "224.0.0.1"] {
        assert!(
            fault(|text| *text = text.replace("192.0.2.1\"", &format!("{wrong}\"")))
                .contains("nobody can reach")
        );
    }
    let two = fault(|text| *text = text.replace("\"192.0.2.1\"", "[\"192.0.2.1\", \"192.0.2.2\"]"));
    assert!(two.contains("sip.public_address[1]: a second address of the same family"), "{two}");
    let voice = fault(|text| text.push_str("[media]\nlisten = \"::\"\npublic_address = \"2001:db8::1\"\n"));
    assert!(voice.contains("media.listen: sip.listen has IPv4 and this has not"), "{voice}");
}

#[test]
fn two_sockets_do_not_want_one_port() {
    let twice = fault(|text| {
        *text = text.replace("[sip]", "[sip]\nlisten = [\"udp://0.0.0.0\", \"udp://192.0.2.1:5060\"]")
    });
    assert!(twice.contains("sip.listen[1]: 192.0.2.1:5060 is listened on twice"), "{twice}");
    let voice = fault(|text| text.push_str("[media]\nports = \"5000-9003\"\n"));
    assert!(voice.contains("sip.listen: port 5060 is one of media.ports, 5000-9003"), "{voice}");
    let http = fault(|text| text.push_str("[http]\nlisten = \"127.0.0.1:5060\"\n"));
    assert!(http.contains("is http.listen as well"), "{http}");
}

#[test]
fn few_ports_are_a_warning() {
    let text = format!("{LEAST}[media]\nports = \"20000-20039\"\n");
    let Outcome { checked, warnings } = outcome(&text);
    assert!(checked.is_ok());
    let told = warnings.iter().find(|warning| warning.key == "media.ports").unwrap();
    assert!(told.text.starts_with("has ports for 10 calls"), "{told}");
    let workers = fault(|text| text.push_str("[media]\nports = \"20000-20003\"\nworkers = 2\n"));
    assert!(workers.contains("media.workers: 2 workers share 2 port pairs"), "{workers}");
}

#[test]
fn an_operator_is_a_number_or_an_address_and_no_line() {
    let operator = |operator: &str| fault(|text| text.push_str(&format!("operator = {operator:?}\n")));
    assert!(operator("+78005550101").contains("is a line of this server"));
    assert!(operator("desk").contains("is no telephone number"));
    assert!(operator("sips:desk@192.0.2.20").contains("write sip: with ;transport=tls"));
    let number = good(&format!("{LEAST}operator = \"8 495 000-00-01\"\n")).lines[0].operator.clone();
    assert_eq!(number, Some(Operator::Number(Number::parse("+74950000001").unwrap())));
}

#[test]
fn what_is_not_built_yet_is_refused_and_not_ignored() {
    let told = fault(|text| *text = text.replace("[[line]]", "[[line]]\nservice = \"scenario\""));
    assert!(told.contains("not available yet"), "{told}");
    let told = fault(|text| text.push_str("[store]\nengine = \"postgres\""));
    assert!(told.contains("not available yet"), "{told}");
}

#[test]
fn a_reserve_line_has_an_operator() {
    let told = fault(|text| *text = text.replace("[[line]]", "[[line]]\nservice = \"reserve\""));
    assert!(told.contains("operator: is needed"), "{told}");
    let line = "service = \"reserve\"\noperator = \"+74950000001\"\n";
    assert_eq!(good(&format!("{LEAST}{line}")).lines[0].service, Service::Reserve);
}

#[test]
fn sections_have_the_brackets_they_need() {
    let single = fault(|text| *text = text.replace("[[line]]", "[line]"));
    assert!(single.contains("line: write [[line]], in double brackets"), "{single}");
    let double = fault(|text| text.push_str("[[media]]\nports = \"20000-20003\"\n"));
    assert!(double.contains("media: write it once as a section, [media]; it is a list"), "{double}");
    let plural = fault(|text| text.push_str("[[webhooks]]\n"));
    assert!(
        plural.contains("webhooks: there is no section \"webhooks\"; did you mean \"webhook\"?"),
        "{plural}"
    );
}

#[test]
fn webhooks_are_posted_to_by_http() {
    let hook = |url: &str, more: &str| {
        format!("{LEAST}[[webhook]]\nurl = {url:?}\nsecret = \"0123456789abcdef\"\n{more}\n")
    };
    for (url, why) in [
        ("ftp://shop.example/", "ftp: cannot be posted to"),
        ("shop.example", "is no URL"),
        ("https://user:secret@shop.example/", "has a user or a password"),
        ("https://shop.example/#x", "has a fragment"),
    ] {
        assert!(faults(&hook(url, ""))[0].contains(why), "{url}");
    }
    assert_eq!(good(&hook("https://shop.example:8443/x", "")).webhooks[0].name, "shop.example");
    assert!(
        faults(&hook("https://a.example/", "events = [\"call.ended\", \"CALL\"]"))[0].contains("events[1]")
    );
    let unheard = outcome(&hook("https://a.example/", "events = [\"call.*\", \"*\", \"call.endet\"]"));
    let keys: Vec<&str> = unheard.warnings.iter().map(|warning| warning.key.as_str()).collect();
    assert_eq!((unheard.checked.is_ok(), keys), (true, vec!["http", "webhook[0].events[2]"]));
    assert!(faults(&hook("https://a.example/", "retry = []"))[0].contains("webhook[0].retry: is empty"));
    let warned =
        |url: &str| outcome(&hook(url, "")).warnings.iter().any(|warning| warning.key == "webhook[0].url");
    assert!(warned("http://shop.example/") && !warned("http://127.0.0.1:9/") && !warned("http://[::1]/"));
}

#[test]
fn a_folder_that_is_a_file_is_a_fault() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    for section in ["node]\ndata_dir", "recording]\ndir", "prompts]\ndir"] {
        let told = fault(|text| text.push_str(&format!("[{section} = {:?}\n", file.join("below"))));
        assert!(told.contains("is no folder"), "{told}");
    }
}

#[test]
fn keys_in_signalling_that_is_not_encrypted_are_a_warning() {
    let warned = |srtp: &str| {
        let text = LEAST.replace("[[line]]", &format!("srtp = {srtp:?}\n[[line]]"));
        let Outcome { checked, warnings } = outcome(&text);
        let about = warnings.iter().filter(|warning| warning.key == "trunk[0].srtp").count();
        (checked.expect("no fault").trunks[0].srtp, about)
    };
    assert_eq!(warned("off"), (b2bua::SrtpPolicy::Off, 0));
    assert_eq!(warned("offered"), (b2bua::SrtpPolicy::Offered, 1));
    assert_eq!(warned("required"), (b2bua::SrtpPolicy::Required, 1));
    assert_eq!(good(LEAST).trunks[0].srtp, b2bua::SrtpPolicy::Off);
}

#[test]
fn a_line_has_the_keys_of_its_service_and_what_they_need() {
    let line = |keys: &str| fault(|text| *text = text.replace("[[line]]", &format!("[[line]]\n{keys}")));
    assert!(line("strangers = \"tell\"").contains("strangers: is for lines with service = \"pairs\""));
    assert!(
        line("service = \"pairs\"\nask = \"always\"").contains("ask: is for lines with service = \"orders\"")
    );
    let operator = line("service = \"pairs\"\nstrangers = \"operator\"");
    assert!(operator.contains("\"operator\" needs operator"), "{operator}");
    let country = fault(|text| text.push_str("[pool]\ncountries = [\"XX\"]\n"));
    assert!(country.contains("pool.countries[0]"), "{country}");
}

#[test]
fn https_needs_files_that_fit_and_a_listener() {
    let http = |lines: &str| fault(|text| text.push_str(&format!("[http]\n{lines}\n")));
    assert!(http("tls = true").contains("http.tls: listen on https://"));
    let idle = http("key_file = \"/nowhere\"");
    assert!(idle.contains("http.key_file: means nothing without an https:// address"), "{idle}");
    let listen = "listen = \"https://192.0.2.1:8443\"";
    let missing = http(&format!("{listen}\ncertificate_file = \"/nowhere/a.pem\""));
    assert!(missing.contains("http.key_file: is missing"), "{missing}");
    let unread =
        http(&format!("{listen}\ncertificate_file = \"/nowhere/a.pem\"\nkey_file = \"/nowhere/a.key\""));
    assert!(unread.contains("http.certificate_file: /nowhere/a.pem"), "{unread}");
    for wrong in ["https://", "https://example", "ftp://192.0.2.1:80", "https://192.0.2.1"] {
        assert!(http(&format!("listen = {wrong:?}")).contains("http.listen"), "{wrong}");
    }
    let twice = faults(&format!("{LEAST}[http]\nlisten = [\"127.0.0.1:80\", \"https://127.0.0.1:80\"]\n"));
    assert!(twice.iter().any(|fault| fault.contains("is listened on twice")), "{twice:?}");
}

#[test]
fn a_user_has_a_hash_and_a_proxy_stands_beside_us() {
    let hash = api::password_hash("a long password");
    let user = |lines: &str| fault(|text| text.push_str(&format!("[[http.user]]\n{lines}\n")));
    let whole = format!("name = \"anna\"\nrole = \"operator\"\npassword_hash = \"{hash}\"");
    assert!(user(&whole.replace("anna", "a b")).contains("is no name"));
    assert!(user(&whole.replace("operator", "app")).contains("http.user[0].role"));
    assert!(user(&whole.replace("$argon2id", "$argon2i")).contains("is not made with argon2id"));
    assert!(user("name = \"anna\"\nrole = \"admin\"").contains("password_hash: is missing"));
    let plain = user(&format!("{whole}\npassword = \"swordfish\""));
    assert!(plain.contains("passwords do not stand in this file") && !plain.contains("swordfish"), "{plain}");
    assert!(user(&format!("{whole}\n[[http.user]]\n{whole}")).contains("each needs their own"));
    assert!(user(&format!("{whole}\nnumber = \"12\"")).contains("http.user[0].number"));
    let http = |lines: &str| fault(|text| text.push_str(&format!("[http]\n{lines}\n")));
    for far in ["198.51.100.7", "0.0.0.0/0", "10.0.0.0/7", "2001:db8::1", "::/0"] {
        assert!(http(&format!("proxies = {far:?}")).contains("http.proxies"), "{far}");
    }
    let beside = "proxies = [\"127.0.0.1\", \"10.1.0.0/16\", \"172.16.0.0/12\", \"192.168.1.1\", \"::1\", \"fd00::/8\"]";
    assert_eq!(good(&format!("{LEAST}[http]\n{beside}\n")).http.proxies.len(), 6);
    let console = |lines: &str| fault(|text| text.push_str(&format!("[console]\n{lines}\n")));
    assert!(console("session = \"1m\"").contains("console.session"));
    assert!(console("session = \"1h\"\nidle = \"2h\"").contains("nobody is idle for longer"));
    assert!(console(&format!("title = {:?}", "x".repeat(61))).contains("longer than 60"));
}
