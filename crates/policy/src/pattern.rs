//! Text with wildcards and policy variables, split once when the document is read.

use crate::context::Context;

/// One piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(Box<str>),
    /// `*`: any run of characters, also none.
    AnyRun,
    /// `?`: exactly one character.
    AnyChar,
    /// `${key}` or `${key, 'default'}`; the key in lower case.
    Variable {
        key: Box<str>,
        default: Option<Box<str>>,
    },
}

/// How a text is split into tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Syntax {
    /// `*` and `?` are wildcards.
    pub(crate) wildcards: bool,
    /// `${...}` is a variable (only in documents of version 2012-10-17).
    pub(crate) variables: bool,
}

/// A pattern ready to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    tokens: Box<[Token]>,
    has_variables: bool,
}

/// Whether letters are compared as they are or with ASCII case ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Sensitive,
    Ignored,
}

impl Pattern {
    pub(crate) fn parse(text: &str, syntax: Syntax) -> Self {
        let mut tokens = Vec::new();
        let mut literal = String::new();
        let flush = |literal: &mut String, tokens: &mut Vec<Token>| {
            if !literal.is_empty() {
                tokens.push(Token::Literal(std::mem::take(literal).into_boxed_str()));
            }
        };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if syntax.variables
                && first == '$'
                && let Some((body, after)) = variable_body(rest)
            {
                rest = after;
                match body {
                    "*" | "?" | "$" => literal.push_str(body),
                    _ => {
                        flush(&mut literal, &mut tokens);
                        tokens.push(variable(body));
                    }
                }
                continue;
            }
            rest = &rest[first.len_utf8()..];
            match first {
                '*' if syntax.wildcards => {
                    flush(&mut literal, &mut tokens);
                    if tokens.last() != Some(&Token::AnyRun) {
                        tokens.push(Token::AnyRun);
                    }
                }
                '?' if syntax.wildcards => {
                    flush(&mut literal, &mut tokens);
                    tokens.push(Token::AnyChar);
                }
                _ => literal.push(first),
            }
        }
        flush(&mut literal, &mut tokens);
        let has_variables = tokens
            .iter()
            .any(|token| matches!(token, Token::Variable { .. }));
        Self {
            tokens: tokens.into_boxed_slice(),
            has_variables,
        }
    }

    /// Does the whole input match? A variable that cannot be resolved matches nothing.
    pub(crate) fn matches(&self, input: &str, context: &Context, case: Case) -> bool {
        // The two commonest patterns need no loop.
        match &*self.tokens {
            [Token::AnyRun] => return true,
            [Token::Literal(literal)] => {
                return match case {
                    Case::Sensitive => **literal == *input,
                    Case::Ignored => literal.eq_ignore_ascii_case(input),
                };
            }
            [] => return input.is_empty(),
            _ => {}
        }
        if self.has_variables && !self.resolvable(context) {
            return false;
        }
        self.run(input, context, case)
    }

    /// Equality with letters folded as Unicode does; only for patterns without wildcards.
    pub(crate) fn equals_ignoring_case(&self, input: &str, context: &Context) -> bool {
        if self.has_variables && !self.resolvable(context) {
            return false;
        }
        let written = self
            .tokens
            .iter()
            .flat_map(|token| text_of(token, context).unwrap_or_default().chars());
        written
            .flat_map(char::to_lowercase)
            .eq(input.chars().flat_map(char::to_lowercase))
    }

    fn resolvable(&self, context: &Context) -> bool {
        self.tokens.iter().all(|token| match token {
            Token::Variable { .. } => text_of(token, context).is_some(),
            _ => true,
        })
    }

    // Greedy matching that steps back to the last `*` only: each part between two stars has a fixed
    // number of characters, so taking it as early as possible never loses a match.
    fn run(&self, input: &str, context: &Context, case: Case) -> bool {
        let (mut token, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            let step = match self.tokens.get(token) {
                None if at == input.len() => return true,
                None => None,
                Some(Token::AnyRun) => {
                    if token + 1 == self.tokens.len() {
                        return true;
                    }
                    star = Some((token, at));
                    Some(0)
                }
                Some(Token::AnyChar) => input[at..].chars().next().map(char::len_utf8),
                Some(text) => {
                    text_of(text, context).and_then(|text| prefix(&input[at..], text, case))
                }
            };
            if let Some(length) = step {
                token += 1;
                at += length;
                continue;
            }
            let Some((star_token, star_at)) = star else {
                return false;
            };
            let Some(skipped) = input[star_at..].chars().next() else {
                return false;
            };
            let next = star_at + skipped.len_utf8();
            star = Some((star_token, next));
            (token, at) = (star_token + 1, next);
        }
    }
}

/// The literal text of a token; `None` for wildcards and unresolved variables.
fn text_of<'a>(token: &'a Token, context: &'a Context) -> Option<&'a str> {
    match token {
        Token::Literal(text) => Some(text),
        Token::Variable { key, default } => context.single(key).or(default.as_deref()),
        Token::AnyRun | Token::AnyChar => None,
    }
}

/// The length of `text` when `input` begins with it.
fn prefix(input: &str, text: &str, case: Case) -> Option<usize> {
    let head = input.as_bytes().get(..text.len())?;
    let same = match case {
        Case::Sensitive => head == text.as_bytes(),
        Case::Ignored => head.eq_ignore_ascii_case(text.as_bytes()),
    };
    same.then_some(text.len())
}

/// `${body}` at the start of a text: the body and what follows.
pub(crate) fn variable_body(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix("${")?;
    let end = inside.find('}')?;
    let body = &inside[..end];
    // An empty name or an opening brace inside is no variable but plain text.
    (!body.is_empty() && !body.contains('{')).then(|| (body, &inside[end + 1..]))
}

fn variable(body: &str) -> Token {
    let (key, default) = match body.split_once(", '") {
        Some((key, rest)) if rest.ends_with('\'') => (key, Some(rest[..rest.len() - 1].into())),
        _ => (body, None),
    };
    Token::Variable {
        key: key.trim().to_lowercase().into_boxed_str(),
        default,
    }
}

/// Splits an ARN pattern into its six parts, leaving the colons inside `${...}` alone.
pub(crate) fn split_arn(text: &str, variables: bool) -> Option<[&str; 6]> {
    let mut parts = [""; 6];
    let mut start = 0;
    let mut at = 0;
    let mut filled = 0;
    while filled < 5 {
        let rest = &text[at..];
        let first = rest.chars().next()?;
        if variables && let Some((_, after)) = variable_body(rest) {
            at = text.len() - after.len();
        } else if first == ':' {
            parts[filled] = &text[start..at];
            filled += 1;
            at += 1;
            start = at;
        } else {
            at += first.len_utf8();
        }
    }
    parts[5] = &text[start..];
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GLOB: Syntax = Syntax {
        wildcards: true,
        variables: true,
    };

    fn glob(pattern: &str, input: &str) -> bool {
        Pattern::parse(pattern, GLOB).matches(input, &Context::new(), Case::Sensitive)
    }

    #[test]
    fn wildcards() {
        for (pattern, input) in [
            ("*", ""),
            ("*", "a/b:c"),
            ("a*", "a"),
            ("*a", "bca"),
            ("a?c", "abc"),
            ("a?c", "aüc"),
            ("*a*b", "xaxbab"),
            ("a*a*a", "aaa"),
            ("**", "x"),
            ("*??", "ab"),
            ("ü*ö", "üxö"),
            ("", ""),
            ("*abc", "ababc"),
            ("a*?b", "axb"),
        ] {
            assert!(glob(pattern, input), "{pattern} {input}");
        }
        for (pattern, input) in [
            ("", "a"),
            ("a?c", "ac"),
            ("a*", "ba"),
            ("*a", "ab"),
            ("a*a*a", "aa"),
            ("?", ""),
            ("A", "a"),
            ("*??", "a"),
            ("a*?b", "ab"),
        ] {
            assert!(!glob(pattern, input), "{pattern} {input}");
        }
    }

    #[test]
    fn agrees_with_a_naive_matcher() {
        fn naive(pattern: &[char], input: &[char]) -> bool {
            match pattern.split_first() {
                None => input.is_empty(),
                Some(('*', rest)) => (0..=input.len()).any(|skip| naive(rest, &input[skip..])),
                Some(('?', rest)) => !input.is_empty() && naive(rest, &input[1..]),
                Some((wanted, rest)) => input.first() == Some(wanted) && naive(rest, &input[1..]),
            }
        }
        let mut seed = 7_u64;
        let mut next = |bound: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % bound
        };
        for _ in 0..20_000 {
            let pattern: Vec<char> = (0..next(8))
                .map(|_| ['a', 'b', '*', '?', 'ü'][next(5) as usize])
                .collect();
            let input: Vec<char> = (0..next(9))
                .map(|_| ['a', 'b', 'ü'][next(3) as usize])
                .collect();
            let (p, i): (String, String) = (pattern.iter().collect(), input.iter().collect());
            assert_eq!(glob(&p, &i), naive(&pattern, &input), "{p} {i}");
        }
    }

    #[test]
    fn variables_are_literal_after_substitution() {
        let context = Context::new()
            .with("aws:username", "a*")
            .with("aws:TagKeys", vec!["x".to_owned()]);
        let matches = |pattern: &str, input: &str| {
            Pattern::parse(pattern, GLOB).matches(input, &context, Case::Sensitive)
        };
        assert!(matches("home/${aws:UserName}/*", "home/a*/x"));
        assert!(!matches("home/${aws:username}", "home/abc"));
        assert!(matches("${aws:nobody, 'some one'}", "some one"));
        assert!(!matches("${aws:nobody}", ""));
        assert!(!matches("${aws:TagKeys}", "x"));
        assert!(matches("a${*}b${?}${$}", "a*b?$"));
        assert!(!matches("a${*}b", "axb"));
        assert!(matches("${", "${"));
        assert!(matches("${}", "${}"));
    }

    #[test]
    fn without_variables_the_text_is_plain() {
        let pattern = Pattern::parse(
            "${aws:username}",
            Syntax {
                wildcards: true,
                variables: false,
            },
        );
        let context = Context::new().with("aws:username", "ann");
        assert!(pattern.matches("${aws:username}", &context, Case::Sensitive));
        assert!(!pattern.matches("ann", &context, Case::Sensitive));
    }

    #[test]
    fn arns_split_around_variables() {
        let parts = split_arn("arn:aws:s3:::b/${aws:PrincipalTag/x}/*:y", true).unwrap();
        assert_eq!(
            parts,
            ["arn", "aws", "s3", "", "", "b/${aws:PrincipalTag/x}/*:y"]
        );
        let parts = split_arn("arn:aws:iam::${aws:PrincipalAccount}:role/x", true).unwrap();
        assert_eq!(parts[4], "${aws:PrincipalAccount}");
        assert!(split_arn("arn:aws:s3", true).is_none());
    }
}
