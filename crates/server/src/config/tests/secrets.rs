//! Secrets, wherever they come from, stay secrets.

use super::super::*;
use super::{LEAST, faults, good, outcome};

#[test]
fn the_token_of_the_example_opens_nothing_beyond_this_machine() {
    let token = |listen: &str| {
        format!(
            "{LEAST}[http]\nlisten = {listen:?}\n[[http.token]]\nrole = \"app\"\ntoken = \"change-me-to-a-secret-of-your-own\"\n"
        )
    };
    assert!(faults(&token("0.0.0.0:8080"))[0].contains("everybody knows"));
    let local = outcome(&token("127.0.0.1:8080"));
    assert!(local.checked.is_ok());
    assert!(local.warnings[0].text.contains("everybody knows"));
}

#[test]
fn a_secret_comes_from_the_file_the_environment_or_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, "secret-from-a-file\n").unwrap();
    let environment = |name: &str| (name == "TOKEN").then(|| "secret-from-outside".to_owned());
    let read = |line: &str| {
        let text = format!("{LEAST}[[http.token]]\nrole = \"app\"\n{line}\n");
        parse(&text, Path::new("bauta.toml"), &environment)
    };
    let token = |line: &str| read(line).checked.unwrap().http.tokens[0].token.clone();
    assert_eq!(token("token_env = \"TOKEN\""), api::Token::new("secret-from-outside", api::Role::App));
    assert_eq!(
        token(&format!("token_file = {path:?}")),
        api::Token::new("secret-from-a-file", api::Role::App)
    );

    let fault = |line: &str| read(line).checked.unwrap_err()[0].to_string();
    assert!(fault("").contains("http.token[0].token: is missing: write token, or token_env or token_file"));
    assert!(fault("token_env = \"OTHER\"").contains("the environment has no variable \"OTHER\""));
    assert!(fault("token_file = \"/nowhere/token\"").contains("/nowhere/token cannot be read"));
    assert!(
        fault("token = \"0123456789abcdef\"\ntoken_env = \"TOKEN\"")
            .contains("token_env: there is token as well")
    );
    assert!(fault("token = \"0123456789 abcdef\"").contains("has blanks"));
}

#[test]
fn what_callers_must_prove_is_a_secret_of_ours_and_of_one_trunk() {
    let read = |lines: &str| {
        let text = LEAST.replace("[[line]]", &format!("{lines}\n[[line]]"));
        parse(&text, Path::new("bauta.toml"), &|name| {
            (name == "PBX").then(|| "swordfish-and-more".to_owned())
        })
    };
    let checked = read("inbound_username = \"pbx\"\ninbound_password_env = \"PBX\"").checked.unwrap();
    let inbound = checked.trunks[0].inbound.clone().unwrap();
    let known = &inbound.credentials;
    assert_eq!((&*known.username, &*known.password), ("pbx", "swordfish-and-more"));
    assert_eq!((known.md5, inbound.sha256), (true, true));
    assert_eq!(checked.sip.realm, "bauta");
    assert!(!format!("{checked:?}").contains("swordfish"));
    let fault = |lines: &str| read(lines).checked.unwrap_err()[0].to_string();
    assert!(fault("inbound_username = \"pbx\"").contains("trunk[0].inbound_password: is missing"));
    assert!(fault("inbound_username = \"pbx\"\ninbound_password = \"short\"").contains("16"));
    let proved = "inbound_username = \"pbx\"\ninbound_password_env = \"PBX\"\ninbound_algorithms = ";
    let old = read(&format!("{proved}[\"md5\"]")).checked.unwrap().trunks[0].inbound.clone().unwrap();
    assert_eq!((old.credentials.md5, old.sha256), (true, false));
    assert!(fault(&format!("{proved}[]")).contains("nothing could be proved"));
    assert!(fault("inbound_algorithms = [\"md5\"]").contains("means nothing without inbound_username"));
    let registers = "username = \"a\"\npassword = \"1\"\nregister = true\ninbound_username = \"pbx\"\n\
                     inbound_password_env = \"PBX\"";
    assert!(fault(registers).contains("does not answer challenges"));
    let second = "inbound_username = \"pbx\"\ninbound_password_env = \"PBX\"\n[[trunk]]\nname = \"second\"\n\
                  uri = \"sip:pbx.example\"\nnumbers = [\"+4930123456\"]\ninbound_username = \"pbx\"\n\
                  inbound_password_env = \"PBX\"";
    assert!(fault(second).contains("nobody could tell them apart"), "{}", fault(second));
    let two = second.replacen("= \"pbx\"", "= \"other\"", 1);
    // Two behind one address are told apart by their accounts.
    let two = two.replacen("inbound", "allow = [\"192.0.2.7\"]\ninbound", 1) + "\nallow = [\"192.0.2.7\"]";
    assert!(read(&two).checked.unwrap_err().iter().all(|fault| !fault.to_string().contains("overlaps")));
}

#[test]
fn a_trunks_password_is_as_the_carrier_gave_it_and_belongs_to_a_user() {
    let read = |lines: &str| {
        let text = LEAST.replace("[[line]]", &format!("{lines}\n[[line]]"));
        parse(&text, Path::new("bauta.toml"), &|name| (name == "PASSWORD").then(|| "swordfish".to_owned()))
    };
    let known = |lines: &str| read(lines).checked.unwrap().trunks[0].credentials.clone().unwrap();
    assert_eq!(&*known("username = \"a\"\npassword = \"1\"").password, "1");
    let known = known("username = \"a\"\npassword_env = \"PASSWORD\"");
    assert_eq!((&*known.password, known.realm.as_deref(), known.md5), ("swordfish", None, true));
    assert!(!format!("{known:?}").contains("swordfish"));
    let fault = |lines: &str| read(lines).checked.unwrap_err()[0].to_string();
    assert!(fault("username = \"a\"").contains("trunk[0].password: is missing"));
    assert!(fault("password = \"1\"").contains("trunk[0].password: means nothing without username"));
    assert!(fault("realm = \"r\"").contains("trunk[0].realm: means nothing without username"));
}

#[test]
fn no_remark_and_no_debug_form_has_a_secret() {
    let text = format!(
        "{LEAST}[[http.token]]\nrole = \"app\"\ntoken = \"swordfish\"\n\
         [[webhook]]\nurl = \"https://a.example\"\nsecret = \"swordfish with blanks\"\n"
    );
    let told = faults(&text).join("\n");
    assert!(told.contains("http.token[0].token") && told.contains("webhook[0].secret"), "{told}");
    assert!(!told.contains("swordfish"), "{told}");
    let checked = good(
        &text
            .replace("swordfish with blanks", "swordfish-swordfish")
            .replace("\"swordfish\"", "\"swordfish-and-chips\""),
    );
    assert!(!format!("{checked:?}").contains("swordfish"));
}

#[cfg(unix)]
#[test]
fn a_secret_that_everyone_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, "0123456789abcdef").unwrap();
    let text = format!("{LEAST}[[http.token]]\nrole = \"app\"\ntoken_file = {path:?}\n");
    for (mode, warned) in [(0o644, true), (0o640, false)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(!outcome(&text).warnings.is_empty(), warned, "{mode:o}");
    }
}
