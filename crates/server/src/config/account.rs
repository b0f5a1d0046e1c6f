//! `[[trunk]]`: who we are there.

use b2bua::Credentials;

use super::secret::{self, Keys};
use super::value;
use super::walk::{Section, Walk};

static PASSWORD: Keys = Keys { plain: "password", environment: "password_env", file: "password_file" };

/// What a trunk's challenges are answered with, where it names a user.
pub(super) fn read<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Option<Credentials> {
    let username = walk.get(section, "username", value::text);
    let realm = walk.get(section, "realm", value::text);
    let md5 = walk.get(section, "md5", value::flag).or(true);
    if !section.has("username") {
        for key in ["password", "password_env", "password_file", "realm", "md5"] {
            if section.has(key) {
                walk.fault(section.place(key), "means nothing without username");
            }
        }
        return None;
    }
    let password = secret::given(walk, section, &PASSWORD);
    Some(Credentials {
        username: username.ok()?.into(),
        password: password?.into(),
        realm: realm.ok().map(Into::into),
        md5,
    })
}
