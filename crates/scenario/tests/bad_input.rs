//! A file that cannot be used gives one error, which says where, what was found, and what would be right.

use std::{fs, path::Path};

use emu_scenario::load::{LoadError, load, read_text};
use miette::Diagnostic as _;

/// What is wrong with this text, and what would be right.
#[track_caller]
fn wrong(text: &str) -> (String, String) {
    let error = read_text(Path::new("bad.yaml"), text).expect_err("this text is wrong");
    told(&error)
}

fn told(error: &LoadError) -> (String, String) {
    let help = error.help().map(|h| h.to_string()).unwrap_or_default();
    (error.to_string(), help)
}

#[track_caller]
fn says(text: &str, message: &str, help: &str) {
    assert_eq!(wrong(text), (message.to_owned(), help.to_owned()));
}

#[test]
fn a_misspelt_key_is_named_with_the_nearest_known_one() {
    says(
        "\
scenario: bad
given:
  roles: [{ name: app }]
  asociations: [{ namespace: shop, serviceAccount: api, role: app }]
",
        "bad.yaml:4:3: unknown key `asociations`",
        "did you mean `associations`?",
    );
    says(
        "scenario: bad\ngivn: {}\n",
        "bad.yaml:2:1: unknown key `givn`",
        "did you mean `given`?",
    );
    says(
        "\
scenario: bad
given: { pods: [{ name: p }] }
steps:
  - call: { pod: p, action: s3:ListBucket }
    expect:
      allowed: true
      caller.rolle: app
",
        "bad.yaml:7:7: unknown key `caller.rolle`",
        "did you mean `caller.role`?",
    );
}

#[test]
fn a_key_like_no_other_gets_all_known_ones() {
    let (message, help) = wrong("scenario: bad\nsteps:\n  - restart: { zzz: p }\n");
    assert_eq!(message, "bad.yaml:3:16: unknown key `zzz`");
    assert!(help.starts_with("known here: pod, "), "{help}");
}

#[test]
fn a_wrong_type_is_named_with_what_was_found() {
    says(
        "scenario: bad\ngiven:\n  associations: none\n",
        "bad.yaml:3:17: expected a list (`- item` or `[item]`), found `none`",
        "",
    );
    says(
        "scenario: bad\ngiven:\n  roles:\n    - name: app\n      tags: [a, b]\n",
        "bad.yaml:5:13: expected keys and values (`key: value`), found a list",
        "",
    );
    says(
        "\
scenario: bad
given: { roles: [{ name: app }], associations: [{ namespace: a, serviceAccount: b, role: app, disableSessionTags: perhaps }] }
",
        "bad.yaml:2:115: expected true or false, found `perhaps`",
        "",
    );
    says(
        "scenario: bad\nclock: virtul\n",
        "bad.yaml:2:8: unknown word `virtul`",
        "did you mean `virtual`?",
    );
    says(
        "scenario: bad\nsteps:\n  - advance: soon\n",
        "bad.yaml:3:14: `soon` is not a duration: write a number and a unit (ms, s, m, h, d), such as 8s, 250ms or 1h30m",
        "",
    );
    says(
        "- a\n- b\n",
        "bad.yaml:1:1: expected keys and values (`key: value`), found a list",
        "",
    );
    says(
        "just words\n",
        "bad.yaml:1:1: expected keys and values (`key: value`), found `just words`",
        "",
    );
}

#[test]
fn names_that_nothing_has_are_named_with_the_nearest() {
    says(
        "\
scenario: bad
given:
  roles: [{ name: reader }]
  associations:
    - { namespace: shop, serviceAccount: api, role: raeder }
",
        "bad.yaml:5:53: unknown role `raeder`",
        "did you mean `reader`?",
    );
    says(
        "\
scenario: bad
given: { pods: [{ name: api-1 }] }
steps:
  - call: { pod: api-2, action: s3:ListBucket }
",
        "bad.yaml:4:18: unknown pod `api-2`",
        "did you mean `api-1`?",
    );
    says(
        "scenario: bad\nsteps:\n  - fetch: { pod: api }\n",
        "bad.yaml:3:19: unknown pod `api`",
        "the scenario has none",
    );
}

#[test]
fn what_is_there_twice_is_named_with_the_first_one() {
    says(
        "scenario: bad\ngiven:\n  roles:\n    - { name: app }\n    - { name: app }\n",
        "bad.yaml:5:15: role `app` is there twice",
        "the first one is in line 4",
    );
    says(
        "scenario: bad\nscenario: bad\n",
        "bad.yaml:2:1: the key `scenario` is there twice",
        "keep one of them",
    );
    says(
        "scenario: bad\n---\nscenario: worse\n",
        "bad.yaml:3:1: a second document begins here",
        "one file holds one scenario; put the other one in a file of its own",
    );
}

#[test]
fn what_is_missing_is_named() {
    says(
        "given: {}\n",
        "bad.yaml:1:1: the key `scenario` is missing",
        "give it a `scenario:`",
    );
    let (message, help) = wrong("scenario: bad\nsteps:\n  - name: a\n");
    assert_eq!(message, "bad.yaml:3:5: the step has no verb");
    assert!(
        help.starts_with("exactly one of create, update, delete, "),
        "{help}"
    );
    for nothing in ["", "\n\n", "# only this\n---\n"] {
        says(
            nothing,
            "bad.yaml: the file is empty",
            "a scenario needs at least `scenario: <name>` and `steps:`",
        );
    }
}

#[test]
fn broken_yaml_is_named_with_its_place() {
    says(
        "scenario: bad\ngiven: {\n  roles: [\n",
        "bad.yaml:3:10: unclosed bracket '['",
        "",
    );
    says(
        "scenario: x\n\tgiven: {}\n",
        "bad.yaml:1:11: while scanning a plain scalar, found a tab",
        "YAML is indented with spaces",
    );
}

#[test]
fn garbage_is_no_text() {
    says(
        "abc\0def",
        "bad.yaml: this is not text: byte 4 is zero",
        "a scenario file is YAML in UTF-8",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("picture.yaml");
    fs::write(&file, b"\x89PNG\r\n\x1a\n\xff\xfe").expect("a file");
    let errors = load(std::slice::from_ref(&file)).expect_err("no text");
    assert_eq!(errors.len(), 1);
    assert_eq!(
        told(&errors[0]),
        (
            format!("{}: this is not text: byte 1 is not UTF-8", file.display()),
            "a scenario file is YAML in UTF-8".to_owned()
        )
    );
}

#[test]
fn a_flood_of_brackets_neither_overflows_nor_floods() {
    let text = "[".repeat(100_000);
    let error = read_text(Path::new("bad.yaml"), &text).expect_err("too deep");
    assert!(error.to_string().starts_with("bad.yaml:1:"), "{error}");
    let shown = format!("{:?}", miette::Report::new(error));
    assert!(shown.len() < 1_000, "{} bytes", shown.len());
}

#[test]
fn folders_that_lead_in_a_circle_are_walked_once() {
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).expect("a link");
    let errors = load(&[folder.path().to_owned()]).expect_err("nothing there");
    assert_eq!(errors.len(), 1);
    assert_eq!(
        told(&errors[0]),
        (
            format!("{}: no scenario files here", folder.path().display()),
            "scenario files end in .yaml or .yml".to_owned()
        )
    );
    fs::write(
        folder.path().join("a.yaml"),
        "scenario: a\nsteps: [{ advance: 1s }]\n",
    )
    .expect("a file");
    let found = load(&[folder.path().to_owned()]).expect("one scenario");
    assert_eq!(found.len(), 1);
}

#[test]
fn two_files_of_one_name_are_both_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (folder.path().join("1.yaml"), folder.path().join("2.yaml"));
    for file in [&first, &second] {
        fs::write(file, "scenario: same\nsteps: [{ advance: 1s }]\n").expect("a file");
    }
    let errors = load(&[folder.path().to_owned()]).expect_err("the same name");
    assert_eq!(errors.len(), 1);
    assert_eq!(
        told(&errors[0]).0,
        format!(
            "{}:1:11: there is already a scenario `same`, in {}",
            second.display(),
            first.display()
        )
    );
}
