//! Pictures of every place of the console, in both themes and sizes: `cargo run -p tests --example screenshots -- FOLDER`.
//!
//! Those in docs/console are some of them.

use std::path::PathBuf;

use tests::browser::Look;
use tests::console::Console;
use tests::shop::Shop;

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("the folder for the pictures"));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let shop = Shop::open();
    let looks = [
        ("desk-light", Look::DESK),
        ("desk-dark", Look::DESK.in_the_dark()),
        ("phone-light", Look::PHONE.in_russian()),
        ("phone-dark", Look::PHONE.in_russian().in_the_dark()),
    ];
    for (name, look) in looks {
        let before = Console::before(&shop.scene.loopback, look, &[]);
        before.browser.await_element("main form");
        std::fs::write(folder.join(format!("login-{name}.webp")), before.browser.screenshot())
            .expect("the disk has room");
        drop(before);
        let console = Console::admin(&shop.scene.loopback, look);
        for place in shop.places(true) {
            shop.settle(&console, &place);
            let name_of = |place: &str| folder.join(format!("{place}-{name}.webp"));
            if place.starts_with("records/") {
                console.browser.run("document.querySelector('#ladder').scrollIntoView()", &[]);
                std::fs::write(name_of("records-ladder"), console.browser.screenshot())
                    .expect("the disk has room");
                console.browser.run("document.querySelector('dialog').scrollTo(0, 0)", &[]);
            }
            let place = match place.split_once('/') {
                Some((view, _)) if view != "callbacks" => format!("{view}-one"),
                _ => place.replace('/', "-"),
            };
            let picture = console.browser.screenshot();
            std::fs::write(name_of(&place), picture).expect("the disk has room");
        }
    }
}
