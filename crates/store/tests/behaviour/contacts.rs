//! Contacts: one for each number, found by name.

use store::{
    Contact, ContactChange, ContactFilter, ContactOutcome, Erasure, Json, NewContact, Precondition, Store,
};

use crate::world::{CLIENT, COURIER, NOW, STRANGER, World, at, number};

fn new(of: &str, name: &str) -> NewContact {
    NewContact { number: number(of), name: name.into(), note: None, data: None }
}

fn kept(outcome: ContactOutcome) -> Contact {
    let ContactOutcome::Kept(contact) = outcome else { panic!("{outcome:?}") };
    *contact
}

fn names(store: &Store, filter: &ContactFilter) -> Vec<String> {
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.contacts(filter, cursor.as_deref(), 3).unwrap();
        names.extend(page.items.into_iter().map(|contact| contact.name.to_string()));
        cursor = page.next;
        if cursor.is_none() {
            return names;
        }
    }
}

#[test]
fn a_number_has_one_contact_and_whoever_changes_it_second_learns_of_the_first() {
    let mut world = World::new();
    let store = world.store();
    assert!(!store.has_names());
    let ann = kept(store.create_contact(new(COURIER, "Ann"), NOW).unwrap());
    let bob = kept(store.create_contact(new(CLIENT, "Bob"), NOW).unwrap());
    assert!(store.has_names());
    assert_eq!(store.create_contact(new(COURIER, "Other"), NOW), Ok(ContactOutcome::Taken(ann.id)));
    let change = |id, change, wanted| store.change_contact(id, change, wanted, at(5)).unwrap();
    let renamed = ContactChange { name: Some("Anna".into()), ..ContactChange::default() };
    let anna = kept(change(ann.id, renamed.clone(), Precondition::Is(ann.version)));
    assert_eq!(
        (anna.number, &*anna.name, anna.created_at, anna.updated_at),
        (ann.number, "Anna", NOW, at(5))
    );
    assert_eq!(change(ann.id, renamed, Precondition::Is(ann.version)), ContactOutcome::Changed);
    let moved = |to| ContactChange { number: Some(number(to)), ..ContactChange::default() };
    assert_eq!(change(anna.id, moved(CLIENT), Precondition::None), ContactOutcome::Taken(bob.id));
    let data = Some(Some(Json::parse(r#"{"crm":7}"#).unwrap()));
    let moved = ContactChange { note: Some(Some("vip".into())), data, ..moved(STRANGER) };
    let anna = kept(change(anna.id, moved, Precondition::None));
    let store = world.reopen();
    assert_eq!(store.contact_of(number(STRANGER)).unwrap().as_ref(), Some(&anna));
    assert_eq!(store.contact_of(number(COURIER)), Ok(None));
    let remove = |id, wanted| store.remove_contact(id, wanted).unwrap();
    assert_eq!(remove(anna.id, Precondition::Is(1)), ContactOutcome::Changed);
    assert_eq!(remove(anna.id, Precondition::Is(anna.version)), ContactOutcome::Removed);
    assert_eq!(remove(anna.id, Precondition::None), ContactOutcome::Unknown);
    assert_eq!(names(store, &ContactFilter::Any), ["Bob"]);
}

#[test]
fn contacts_are_listed_by_name_and_found_by_a_part_of_it_or_by_number() {
    let world = World::new();
    let store = world.store();
    for (n, name) in ["яна", "Борис", "bob", "Ann", "Борис", "ann B"].into_iter().enumerate() {
        kept(store.create_contact(new(&format!("+7999000000{n}"), name), NOW).unwrap());
    }
    assert_eq!(names(store, &ContactFilter::Any), ["Ann", "ann B", "bob", "Борис", "Борис", "яна"]);
    let text = |text: &str| names(store, &ContactFilter::Text(text.into()));
    assert_eq!(text("БОР"), ["Борис", "Борис"]);
    assert_eq!(text("n"), ["Ann", "ann B"]);
    assert_eq!(text("0003"), ["Ann"], "the last four digits");
    assert!(text("999000").is_empty(), "no number is found out digit by digit");
    assert_eq!(names(store, &ContactFilter::Number(number("+79990000002"))), ["bob"]);
    assert!(names(store, &ContactFilter::Number(number(CLIENT))).is_empty());
    for cursor in ["x", "0", "zz", "+1"] {
        let page = store.contacts(&ContactFilter::Any, Some(cursor), 3);
        assert_eq!(page, Err(store::StoreError::Cursor), "{cursor}");
    }
}

#[test]
fn what_cannot_be_kept_of_a_contact_is_refused() {
    let world = World::new();
    let store = world.store();
    let long = |length: usize| Some("я".repeat(length).into());
    for bad in [
        new(COURIER, ""),
        new(COURIER, &"я".repeat(101)),
        new(COURIER, "a\u{7}"),
        NewContact { note: long(Contact::LONGEST_NOTE + 1), ..new(COURIER, "a") },
        NewContact { data: Some(Json::of(&"x".repeat(Contact::LONGEST_DATA)).unwrap()), ..new(COURIER, "a") },
    ] {
        assert!(matches!(store.create_contact(bad, NOW), Err(store::StoreError::Refused(_))));
    }
    let largest = NewContact {
        note: Some("\u{1f600}".repeat(Contact::LONGEST_NOTE).into()),
        data: Some(Json::of(&"x".repeat(Contact::LONGEST_DATA - 2)).unwrap()),
        ..new(COURIER, &"\u{1f600}".repeat(100))
    };
    kept(store.create_contact(largest, NOW).unwrap());
    assert_eq!(std::fs::read_dir(world.dir().join("blobs")).unwrap().count(), 0);
}

#[test]
fn an_erased_number_is_nobodys_contact() {
    let mut world = World::new();
    let store = world.store();
    kept(store.create_contact(new(COURIER, "Ann"), NOW).unwrap());
    kept(store.create_contact(new(CLIENT, "Bob"), NOW).unwrap());
    let erasure = Erasure { number: number(COURIER), shown: None, records: false, blocks: false };
    assert_eq!(store.erase(&erasure).unwrap().contacts, 1);
    let store = world.reopen();
    assert_eq!(names(store, &ContactFilter::Any), ["Bob"]);
    assert_eq!(store.contact_of(number(COURIER)), Ok(None));
    assert!(names(store, &ContactFilter::Text("ann".into())).is_empty());
}
