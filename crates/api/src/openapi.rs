//! `GET /openapi.json`: all of this, described. The document is written by hand and checked in; tests hold it
//! against the routes, the problems, and what is answered.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// The document.
pub(crate) const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

pub(crate) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::problem::Fault;
    use crate::router::{Route, routes};
    use crate::token::Role;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    /// Method, path and description of each operation.
    fn operations(document: &Value) -> Vec<(String, String, Value)> {
        let paths = document["paths"].as_object().unwrap();
        let methods = |(path, item): (&String, &Value)| {
            let path = path.clone();
            let item = item.as_object().unwrap().clone();
            item.into_iter().map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
        };
        paths.iter().flat_map(methods).collect()
    }

    fn route<'a>(routes: &'a [Route], method: &str, path: &str) -> Option<&'a Route> {
        routes.iter().find(|route| route.method == method && route.path == path)
    }

    #[test]
    fn every_route_is_described_and_every_description_has_a_route() {
        let document = document();
        let described: BTreeSet<(String, String)> =
            operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
        let routed: BTreeSet<(String, String)> =
            routes().iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
        assert_eq!(described, routed);
    }

    #[test]
    fn roles_are_described_as_they_are_enforced() {
        let (document, routes) = (document(), routes());
        for (method, path, operation) in operations(&document) {
            let route = route(&routes, &method, &path).unwrap();
            let described = operation.get("x-roles").map(|roles| {
                let word = |role: &Value| Role::parse(role.as_str().unwrap()).unwrap();
                roles.as_array().unwrap().iter().map(word).collect::<Vec<_>>()
            });
            assert_eq!(described.as_deref(), route.roles, "{method} {path}");
            assert_eq!(operation.get("security").is_some(), route.roles.is_none(), "{method} {path}");
        }
    }

    #[test]
    fn every_problem_is_described_with_its_status() {
        let document = document();
        let schema = &document["components"]["schemas"]["ProblemCode"];
        let described: BTreeSet<&str> =
            schema["enum"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
        assert_eq!(described, Fault::ALL.iter().map(|fault| fault.word()).collect());
        let text = schema["description"].as_str().unwrap();
        for fault in Fault::ALL {
            let line = format!("- `{}` ({})", fault.word(), fault.status().as_u16());
            assert!(text.contains(&line), "{line}");
        }
    }

    #[test]
    fn every_operation_names_problems_under_their_status_and_is_named_once() {
        let document = document();
        let mut names = BTreeSet::new();
        for (method, path, operation) in operations(&document) {
            assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
            for (status, answer) in operation["responses"].as_object().unwrap() {
                for code in answer.get("x-codes").and_then(Value::as_array).into_iter().flatten() {
                    let fault = Fault::ALL.into_iter().find(|fault| fault.word() == code.as_str().unwrap());
                    assert_eq!(fault.unwrap().status().as_str(), status, "{method} {path} {code}");
                }
            }
        }
    }

    #[test]
    fn every_parameter_of_a_path_is_described() {
        for (method, path, operation) in operations(&document()) {
            let given: BTreeSet<&str> =
                path.split(['{', '}']).skip(1).step_by(2).filter(|name| !name.is_empty()).collect();
            let described: BTreeSet<&str> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            assert_eq!(given, described, "{method} {path}");
        }
    }

    #[test]
    fn limits_are_described_as_they_are() {
        let document = document();
        let data = &document["components"]["schemas"]["OrderDraft"]["properties"]["data"]["description"];
        let longest = format!("at most {} bytes", store::Order::LONGEST_DATA);
        assert!(data.as_str().unwrap().contains(&longest), "{data}");
    }
}
