//! Every condition operator: what holds and what does not.

use emu_policy::{
    Context, ContextValue, Decision, Document, DocumentKind, Policies, Policy, Principal, Request,
    evaluate,
};

/// Does a statement with this condition allow a request that carries these keys?
fn holds(condition: &str, context: &Context) -> bool {
    holds_in("2012-10-17", condition, context)
}

fn holds_in(version: &str, condition: &str, context: &Context) -> bool {
    let text = format!(
        r#"{{"Version":"{version}","Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{{{condition}}}}}}}"#
    );
    let document = Document::parse(&text, DocumentKind::Inline)
        .unwrap_or_else(|error| panic!("{}", error.developer_text()));
    let request = Request {
        principal: Principal::User {
            arn: "arn:aws:iam::111122223333:user/ann".into(),
            id: "AIDAANN".into(),
        },
        action: "s3:GetObject".into(),
        resource: "arn:aws:s3:::b/k".into(),
        resource_account: "111122223333".into(),
        context: context.clone(),
    };
    let policies = Policies {
        identity: vec![Policy::new("p", document)],
        ..Policies::default()
    };
    evaluate(&request, &policies).0 == Decision::Allow
}

fn many(values: &[&str]) -> ContextValue {
    ContextValue::Many(values.iter().map(|value| (*value).to_owned()).collect())
}

/// `(operator, policy value, request value, holds)`
type Row = (&'static str, &'static str, &'static str, bool);

fn table(rows: &[Row]) {
    for (operator, wanted, carried, expected) in rows {
        let context = Context::new()
            .with("test:Key", *carried)
            .with("aws:username", "ann");
        let condition = format!(r#""{operator}":{{"TEST:key":{wanted}}}"#);
        assert_eq!(
            holds(&condition, &context),
            *expected,
            "{condition} on {carried:?}"
        );
    }
}

#[test]
fn strings() {
    table(&[
        ("StringEquals", r#""shop""#, "shop", true),
        ("StringEquals", r#""shop""#, "Shop", false),
        ("StringEquals", r#"["a","shop"]"#, "shop", true),
        ("StringEquals", r#""sh*""#, "shop", false),
        ("StringEquals", r#""sh*""#, "sh*", true),
        ("StringEquals", r#""${aws:username}""#, "ann", true),
        ("StringEquals", r#""""#, "", true),
        ("StringNotEquals", r#""shop""#, "Shop", true),
        ("StringNotEquals", r#"["a","shop"]"#, "shop", false),
        ("StringNotEquals", r#"["a","b"]"#, "shop", true),
        ("StringEqualsIgnoreCase", r#""SHOP""#, "shop", true),
        ("StringEqualsIgnoreCase", r#""ÄRA""#, "ära", true),
        ("StringEqualsIgnoreCase", r#""shops""#, "shop", false),
        ("StringNotEqualsIgnoreCase", r#""SHOP""#, "shop", false),
        ("StringLike", r#""sh*""#, "shop", true),
        ("StringLike", r#""SH*""#, "shop", false),
        ("StringLike", r#""sh?p""#, "shop", true),
        ("StringLike", r#""${aws:username}/*""#, "ann/x", true),
        ("StringLike", r#""a${*}""#, "abc", false),
        ("StringNotLike", r#""sh*""#, "shop", false),
        ("StringNotLike", r#""x*""#, "shop", true),
        ("StringEquals", r#""${aws:nobody}""#, "ann", false),
        ("StringNotEquals", r#""${aws:nobody}""#, "ann", true),
        ("StringEquals", r#""${aws:nobody, 'ann'}""#, "ann", true),
    ]);
    let context = Context::new()
        .with("test:Key", "${aws:username}")
        .with("aws:username", "ann");
    assert!(holds_in(
        "2008-10-17",
        r#""StringEquals":{"test:key":"${aws:username}"}"#,
        &context
    ));
}

#[test]
fn numbers_dates_and_booleans() {
    table(&[
        ("NumericEquals", r#""10""#, "10.0", true),
        ("NumericEquals", "10", "10", true),
        ("NumericEquals", r#""10""#, "ten", false),
        ("NumericNotEquals", r#"["10","11"]"#, "12", true),
        ("NumericNotEquals", r#"["10","11"]"#, "11", false),
        ("NumericNotEquals", r#""10""#, "ten", true),
        ("NumericLessThan", r#""10""#, "9.99", true),
        ("NumericLessThan", r#""10""#, "10", false),
        ("NumericLessThanEquals", r#""10""#, "10", true),
        ("NumericGreaterThan", r#""-1""#, "0", true),
        ("NumericGreaterThan", r#""10""#, "x", false),
        ("NumericGreaterThanEquals", r#""10""#, "10", true),
        (
            "DateEquals",
            r#""2026-07-01T00:00:00Z""#,
            "2026-07-01T02:00:00+02:00",
            true,
        ),
        (
            "DateEquals",
            r#""1782864000""#,
            "2026-07-01T00:00:00Z",
            true,
        ),
        (
            "DateNotEquals",
            r#""2026-07-01T00:00:00Z""#,
            "2026-07-01T00:00:01Z",
            true,
        ),
        (
            "DateLessThan",
            r#""2026-07-01T00:00:00Z""#,
            "2026-06-30T23:59:59.999Z",
            true,
        ),
        ("DateLessThan", r#""2026-07-01T00:00:00Z""#, "soon", false),
        (
            "DateLessThanEquals",
            r#""2026-07-01""#,
            "2026-07-01T00:00:00Z",
            true,
        ),
        (
            "DateGreaterThan",
            r#""2026-07-01""#,
            "2026-07-01T00:00:00Z",
            false,
        ),
        (
            "DateGreaterThanEquals",
            r#""2026-07-01""#,
            "2026-07-01T00:00:00Z",
            true,
        ),
        ("Bool", r#""TRUE""#, "true", true),
        ("Bool", "true", "True", true),
        ("Bool", r#""true""#, "false", false),
        ("Bool", r#""true""#, "yes", false),
        ("Bool", r#"["true","false"]"#, "false", true),
    ]);
}

#[test]
fn arns_addresses_and_bytes() {
    table(&[
        (
            "ArnEquals",
            r#""arn:aws:eks:*:111122223333:cluster/*""#,
            "arn:aws:eks:us-east-1:111122223333:cluster/a",
            true,
        ),
        (
            "ArnLike",
            r#""arn:aws:eks:*:cluster/*""#,
            "arn:aws:eks:us-east-1:111122223333:cluster/a",
            false,
        ),
        (
            "ArnLike",
            r#""arn:aws:iam::*:user/${aws:username}""#,
            "arn:aws:iam::111122223333:user/ann",
            true,
        ),
        (
            "ArnLike",
            r#""*""#,
            "arn:aws:iam::111122223333:user/ann",
            false,
        ),
        ("ArnLike", r#""arn:aws:iam::*:user/*""#, "ann", false),
        (
            "ArnLike",
            r#""arn:aws:iam::*:USER/*""#,
            "arn:aws:iam::111122223333:user/ann",
            false,
        ),
        (
            "ArnNotEquals",
            r#""arn:aws:iam::*:role/*""#,
            "arn:aws:iam::111122223333:user/ann",
            true,
        ),
        (
            "ArnNotLike",
            r#""arn:aws:iam::*:user/*""#,
            "arn:aws:iam::111122223333:user/ann",
            false,
        ),
        ("IpAddress", r#""10.0.0.0/8""#, "10.9.8.7", true),
        ("IpAddress", r#""10.0.0.1""#, "10.0.0.2", false),
        (
            "IpAddress",
            r#"["10.0.0.0/8","2001:db8::/32"]"#,
            "2001:db8::1",
            true,
        ),
        ("IpAddress", r#""10.0.0.0/8""#, "here", false),
        ("NotIpAddress", r#""10.0.0.0/8""#, "10.9.8.7", false),
        ("NotIpAddress", r#""10.0.0.0/8""#, "2001:db8::1", true),
        ("BinaryEquals", r#""QmluYXJ5""#, "QmluYXJ5", true),
        ("BinaryEquals", r#""QmluYXJ5""#, "not base64", false),
    ]);
}

#[test]
fn absent_keys() {
    let nothing = Context::new();
    for operator in [
        "StringEquals",
        "StringLike",
        "StringEqualsIgnoreCase",
        "ArnLike",
        "NumericEquals",
        "NumericLessThan",
        "DateLessThan",
        "Bool",
        "BinaryEquals",
        "IpAddress",
    ] {
        assert!(
            !holds(&format!(r#""{operator}":{{"test:key":"1"}}"#), &nothing),
            "{operator}"
        );
        assert!(
            holds(
                &format!(r#""{operator}IfExists":{{"test:key":"2026"}}"#),
                &nothing
            ),
            "{operator}IfExists"
        );
    }
    for operator in [
        "StringNotEquals",
        "StringNotLike",
        "ArnNotLike",
        "NumericNotEquals",
        "DateNotEquals",
        "NotIpAddress",
    ] {
        assert!(
            holds(&format!(r#""{operator}":{{"test:key":"2026"}}"#), &nothing),
            "{operator}"
        );
    }
}

#[test]
fn null() {
    let context = Context::new()
        .with("a", "x")
        .with("empty", many(&[]))
        .with("blank", "");
    for (key, wanted, expected) in [
        ("a", "true", false),
        ("a", "false", true),
        ("b", "true", true),
        ("b", "false", false),
        ("empty", "true", true),
        ("blank", "false", true),
    ] {
        assert_eq!(
            holds(&format!(r#""Null":{{"{key}":"{wanted}"}}"#), &context),
            expected,
            "{key} {wanted}"
        );
    }
}

#[test]
fn set_operators() {
    let context = Context::new()
        .with("tags", many(&["a", "b"]))
        .with("none", many(&[]));
    for (condition, expected) in [
        (
            r#""ForAllValues:StringEquals":{"tags":["a","b","c"]}"#,
            true,
        ),
        (r#""ForAllValues:StringEquals":{"tags":["a"]}"#, false),
        (r#""ForAllValues:StringEquals":{"none":["a"]}"#, true),
        (r#""ForAllValues:StringEquals":{"absent":["a"]}"#, true),
        (r#""ForAllValues:StringNotEquals":{"tags":["c"]}"#, true),
        (r#""ForAllValues:StringNotEquals":{"tags":["a"]}"#, false),
        (r#""ForAnyValue:StringEquals":{"tags":["b","c"]}"#, true),
        (r#""ForAnyValue:StringEquals":{"tags":["c"]}"#, false),
        (r#""ForAnyValue:StringEquals":{"none":["c"]}"#, false),
        (r#""ForAnyValue:StringEquals":{"absent":["c"]}"#, false),
        (r#""ForAnyValue:StringNotEquals":{"tags":["a"]}"#, true),
        (r#""ForAnyValue:StringNotEquals":{"tags":["a","b"]}"#, false),
        (r#""ForAnyValue:StringLikeIfExists":{"absent":["c"]}"#, true),
        (r#""StringEquals":{"tags":"b"}"#, true),
        (r#""StringEquals":{"tags":"${tags}"}"#, false),
    ] {
        assert_eq!(holds(condition, &context), expected, "{condition}");
    }
}

#[test]
fn operators_and_keys_are_joined_by_and() {
    let context = Context::new().with("a", "1").with("b", "2");
    assert!(holds(
        r#""StringEquals":{"a":"1","b":"2"},"StringLike":{"a":"*"}"#,
        &context
    ));
    assert!(!holds(r#""StringEquals":{"a":"1","b":"3"}"#, &context));
    assert!(!holds(
        r#""StringEquals":{"a":"1"},"StringLike":{"b":"3*"}"#,
        &context
    ));
}
