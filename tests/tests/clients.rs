//! The examples of docs/EXAMPLES.md, with clients generated from docs/openapi.json, against the real program.

#![expect(clippy::unwrap_used, reason = "what is unwrapped here is what is tested")]

use std::path::PathBuf;
use std::process::Command;

use tests::config::ADMIN;
use tests::loopback::HTTP_PORT;
use tests::scene::Scene;
use tests::tool;

/// The one block of this language.
fn example(language: &str) -> String {
    let text = std::fs::read_to_string(tool::repository().join("docs/EXAMPLES.md")).unwrap();
    let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```\n").unwrap().0.to_owned()
}

fn run(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
    let (said, told) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}: {}\n{said}\n{told}", done.status);
    said.into_owned()
}

fn with_access<'c>(command: &'c mut Command, scene: &Scene) -> &'c mut Command {
    let url = format!("http://{}:{HTTP_PORT}", scene.loopback.server());
    command.env("BAUTA_URL", url).env("BAUTA_TOKEN", ADMIN).env("NO_PROXY", "*").env("no_proxy", "*")
}

fn document() -> PathBuf {
    tool::repository().join("docs/openapi.json")
}

#[test]
fn the_examples_for_a_shell_are_taken() {
    let scene = Scene::brief(|config| config);
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("example.sh");
    std::fs::write(&script, example("sh")).unwrap();
    assert!(tool::command("curl", "curl").arg("--version").output().is_ok());
    let said = run(with_access(Command::new("sh").arg(&script), &scene));
    assert!(said.contains("\"max_calls\":20") && said.contains("person.exported"), "{said}");
    assert!(said.contains("\"blocks\":1"), "{said}");
    scene.bauta.assert_no_fault();
}

#[test]
fn a_python_client_is_generated_and_used() {
    let scene = Scene::brief(|config| config);
    let dir = tempfile::tempdir().unwrap();
    let bin = tool::installed("python/bin");
    let config = tool::repository().join("tests/clients/python.yaml");
    let mut generate = Command::new(bin.join("openapi-python-client"));
    generate.current_dir(dir.path()).args(["generate", "--meta", "none", "--fail-on-warning"]);
    // Its formatter is a program beside it.
    let path = std::env::join_paths(
        std::iter::once(bin.clone())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    generate.env("PATH", path.unwrap()).arg("--path").arg(document()).arg("--config").arg(config);
    run(generate.arg("--output-path").arg("bauta_client"));
    std::fs::write(dir.path().join("example.py"), example("python")).unwrap();
    let mut python = Command::new(bin.join("python"));
    let said = run(with_access(python.current_dir(dir.path()).arg("example.py"), &scene));
    assert_eq!(said.trim(), "python: done");
    scene.bauta.assert_no_fault();
}

#[test]
fn a_typescript_client_is_generated_and_used() {
    let scene = Scene::brief(|config| config);
    let dir = tempfile::tempdir().unwrap();
    let modules = tool::installed("node/node_modules");
    let node = |program: &str| Command::new(modules.join(".bin").join(program));
    std::os::unix::fs::symlink(&modules, dir.path().join("node_modules")).unwrap();
    std::fs::write(dir.path().join("package.json"), r#"{"type":"module"}"#).unwrap();
    std::fs::write(dir.path().join("example.ts"), example("typescript")).unwrap();
    run(node("openapi-typescript").current_dir(dir.path()).arg(document()).args(["--output", "bauta.ts"]));
    let options = ["--strict", "--target", "es2022", "--module", "nodenext", "--types", "node", "example.ts"];
    run(node("tsc").current_dir(dir.path()).args(options));
    let mut example = tool::command("node", "nodejs");
    let said = run(with_access(example.current_dir(dir.path()).arg("example.js"), &scene));
    assert_eq!(said.trim(), "typescript: done");
    scene.bauta.assert_no_fault();
}
