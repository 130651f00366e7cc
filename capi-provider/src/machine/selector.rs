//! `spec.hostSelector`: requirements on the labels of hosts. Pure.

use std::collections::BTreeMap;

use api::infra::v1beta2::{HostSelector, HostSelectorRequirement};

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// What a label must be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
}

/// A requirement that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// The operator is unknown.
    #[error(
        "hostSelector: operator {operator:?} of label {key:?} is unknown; use In, NotIn, Exists, DoesNotExist, =, !=, Gt or Lt"
    )]
    Operator {
        /// The label.
        key: String,
        /// What was given.
        operator: String,
    },
    /// The operator takes another number of values.
    #[error("hostSelector: operator {operator:?} of label {key:?} takes {wanted}, but {given} are given")]
    Count {
        /// The label.
        key: String,
        /// The operator.
        operator: String,
        /// How many it takes.
        wanted: &'static str,
        /// How many are given.
        given: usize,
    },
    /// Gt and Lt compare whole numbers.
    #[error("hostSelector: {value:?} of label {key:?} is not a whole number")]
    Number {
        /// The label.
        key: String,
        /// What was given.
        value: String,
    },
}

/// A selector that was understood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector(Vec<(String, Test)>);

impl Selector {
    /// Understands a selector; an absent one takes every host.
    pub fn parse(wanted: Option<&HostSelector>) -> Result<Self, SelectorError> {
        let Some(wanted) = wanted else { return Ok(Self::default()) };
        let mut tests: Vec<(String, Test)> =
            wanted.match_labels.iter().map(|(key, value)| (key.clone(), Test::In(vec![value.clone()]))).collect();
        for requirement in &wanted.match_expressions {
            tests.push((requirement.key.clone(), test(requirement)?));
        }
        Ok(Self(tests))
    }

    /// Whether labels meet all requirements.
    pub fn takes(&self, labels: Option<&Labels>) -> bool {
        self.0.iter().all(|(key, test)| {
            let value = labels.and_then(|labels| labels.get(key));
            let number = || value.and_then(|value| value.parse::<i64>().ok());
            match test {
                Test::In(values) => value.is_some_and(|value| values.contains(value)),
                Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
                Test::Above(limit) => number().is_some_and(|number| number > *limit),
                Test::Below(limit) => number().is_some_and(|number| number < *limit),
            }
        })
    }
}

/// One expression. Operators are taken in any letter case and in both spellings, words and signs.
fn test(requirement: &HostSelectorRequirement) -> Result<Test, SelectorError> {
    let HostSelectorRequirement { key, operator, values } = requirement;
    let count =
        |wanted| SelectorError::Count { key: key.clone(), operator: operator.clone(), wanted, given: values.len() };
    let one = || match values.as_slice() {
        [value] => Ok(value.clone()),
        _ => Err(count("one value")),
    };
    let number = || {
        let value = one()?;
        value.parse().map_err(|_| SelectorError::Number { key: key.clone(), value })
    };
    let some = || if values.is_empty() { Err(count("at least one value")) } else { Ok(values.clone()) };
    let none = |test| if values.is_empty() { Ok(test) } else { Err(count("no value")) };
    match operator.to_ascii_lowercase().as_str() {
        "in" => Ok(Test::In(some()?)),
        "notin" => Ok(Test::NotIn(some()?)),
        "=" | "==" => Ok(Test::In(vec![one()?])),
        "!=" => Ok(Test::NotIn(vec![one()?])),
        "exists" => none(Test::Exists),
        "!" | "doesnotexist" => none(Test::Absent),
        "gt" => Ok(Test::Above(number()?)),
        "lt" => Ok(Test::Below(number()?)),
        _ => Err(SelectorError::Operator { key: key.clone(), operator: operator.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn expression(operator: &str, values: &[&str]) -> HostSelector {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        HostSelector {
            match_expressions: vec![HostSelectorRequirement { key: "k".into(), operator: operator.into(), values }],
            ..HostSelector::default()
        }
    }

    #[test]
    fn operators() {
        // operator, values, takes: label absent, "a", "b", "5"
        let table: &[(&str, &[&str], [bool; 4])] = &[
            ("In", &["a", "5"], [false, true, false, true]),
            ("NotIn", &["a", "5"], [true, false, true, false]),
            ("Exists", &[], [false, true, true, true]),
            ("DoesNotExist", &[], [true, false, false, false]),
            ("!", &[], [true, false, false, false]),
            ("=", &["a"], [false, true, false, false]),
            ("==", &["a"], [false, true, false, false]),
            ("!=", &["a"], [true, false, true, true]),
            ("Gt", &["4"], [false, false, false, true]),
            ("Gt", &["5"], [false, false, false, false]),
            ("lt", &["6"], [false, false, false, true]),
        ];
        for (operator, values, expected) in table {
            for spelling in [(*operator).to_owned(), operator.to_lowercase(), operator.to_uppercase()] {
                let selector = Selector::parse(Some(&expression(&spelling, values))).unwrap();
                let hosts = [labels(&[]), labels(&[("k", "a")]), labels(&[("k", "b")]), labels(&[("k", "5")])];
                assert_eq!(hosts.map(|host| selector.takes(Some(&host))), *expected, "{spelling} {values:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for (operator, values) in [
            ("near", &["a"][..]),
            ("in", &[]),
            ("exists", &["a"]),
            ("!", &["a"]),
            ("=", &["a", "b"]),
            ("gt", &["x"]),
            ("lt", &[]),
        ] {
            let outcome = Selector::parse(Some(&expression(operator, values)));
            assert!(outcome.is_err(), "{operator} {values:?}");
        }
    }

    #[test]
    fn all_requirements_must_hold() {
        let selector = HostSelector { match_labels: labels(&[("a", "1"), ("b", "2")]), ..expression("Exists", &[]) };
        let selector = Selector::parse(Some(&selector)).unwrap();
        assert!(selector.takes(Some(&labels(&[("a", "1"), ("b", "2"), ("k", "")]))));
        for missing in [
            labels(&[("a", "1"), ("b", "2")]),
            labels(&[("a", "1"), ("k", "")]),
            labels(&[("a", "2"), ("b", "2"), ("k", "")]),
        ] {
            assert!(!selector.takes(Some(&missing)), "{missing:?}");
        }
        assert!(Selector::parse(None).unwrap().takes(None));
    }
}
