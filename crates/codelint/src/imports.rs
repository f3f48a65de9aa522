//! Detects import cycles between a crate's Rust files and between the web page's TypeScript files.
//!
//! A file that imports a name depends on the file that defines the name, even if another file re-exports the name.
//! A module may import from its parent modules: `kill/batch.rs` may import from `kill.rs`.
//! Ignores imports in test code and in macro arguments, but recognizes enums that are defined in macro calls.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use proc_macro2::TokenTree;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMacro, ItemMod, ItemUse, UseTree};

use crate::CodelintError;

/// Paths are relative to the workspace root.
#[derive(Debug, Default)]
pub(super) struct ImportGraph {
    files: BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>,
}

impl ImportGraph {
    /// `root` is the path of the crate's `src/lib.rs` or `src/main.rs`.
    pub(super) fn add_crate_imports(&mut self, root: &Path) -> Result<(), CodelintError> {
        let mut modules = ModuleTree::default();
        modules.add_source_file(root, root.parent().unwrap_or(Path::new("")), &Vec::new())?;
        for (path, module) in &modules.by_path {
            for (from, reference) in &module.references {
                let Some(found) = modules.find_definition(from, reference, 0) else { continue };
                let contains = path.starts_with(found.path);
                if !contains && found.module.file != module.file {
                    self.add_import(&module.file, &found.module.file, found.name);
                }
            }
        }
        Ok(())
    }

    pub(super) fn add_typescript_imports(&mut self, files: &[PathBuf]) -> Result<(), CodelintError> {
        for file in files {
            let text = crate::read_source_file(file)?;
            for specifier in find_import_specifiers(&text) {
                let target = normalize_path(&file.parent().unwrap_or(Path::new("")).join(specifier));
                let candidates = ["", ".ts", ".tsx", "/index.ts", "/index.tsx"];
                let target = candidates.iter().map(|end| PathBuf::from(format!("{}{end}", target.display())));
                if let Some(target) = target.into_iter().find(|path| files.contains(path)) {
                    self.add_import(file, &target, specifier);
                }
            }
        }
        Ok(())
    }

    fn add_import(&mut self, from: &Path, to: &Path, name: &str) {
        self.files.entry(from.into()).or_default().entry(to.into()).or_default().insert(name.to_owned());
    }

    /// Each file occurs in at most one of the returned cycles.
    pub(super) fn find_import_cycles(&self) -> Vec<String> {
        let mut reported = BTreeSet::new();
        let mut cycles = Vec::new();
        for start in self.files.keys() {
            let Some(cycle) = self.find_shortest_cycle(start) else { continue };
            if cycle.iter().any(|file| reported.contains(file)) {
                continue;
            }
            let arrows = cycle.iter().zip(cycle.iter().cycle().skip(1)).map(|(from, to)| {
                let names = self.files.get(*from).and_then(|imports| imports.get(*to)).into_iter().flatten();
                let names: Vec<&str> = names.map(String::as_str).collect();
                format!("{} imports {} ({})", from.display(), to.display(), names.join(", "))
            });
            cycles.push(format!("import cycle:\n    {}", arrows.collect::<Vec<_>>().join("\n    ")));
            reported.extend(cycle);
        }
        cycles
    }

    fn find_shortest_cycle(&self, start: &Path) -> Option<Vec<&PathBuf>> {
        let mut previous: BTreeMap<&PathBuf, &PathBuf> = BTreeMap::new();
        let (start, _) = self.files.get_key_value(start)?;
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(file) = queue.pop_front() {
            for next in self.files.get(file).into_iter().flat_map(BTreeMap::keys) {
                if next == start {
                    let mut cycle = vec![file];
                    while let Some(before) = cycle.last().and_then(|last| previous.get(last)) {
                        cycle.push(before);
                    }
                    cycle.reverse();
                    return Some(cycle);
                }
                if !previous.contains_key(next) {
                    previous.insert(next, file);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

/// Path of a module within its crate, such as `["kill", "batch"]` for `crate::kill::batch`.
type ModulePath = Vec<String>;

#[derive(Debug, Default)]
struct Module {
    file: PathBuf,
    definitions: BTreeSet<String>,
    /// Names that the module imports, each with the path in its `use` declaration.
    imports: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    /// Rust paths used in the code, each paired with the module in which the path is resolved.
    references: Vec<(ModulePath, Vec<String>)>,
}

struct Definition<'a> {
    path: &'a ModulePath,
    module: &'a Module,
    name: &'a str,
}

#[derive(Debug, Default)]
struct ModuleTree {
    by_path: BTreeMap<ModulePath, Module>,
}

impl ModuleTree {
    /// `directory` contains the files of the child modules.
    fn add_source_file(&mut self, file: &Path, directory: &Path, path: &ModulePath) -> Result<(), CodelintError> {
        let parsed = syn::parse_file(&crate::read_source_file(file)?)
            .map_err(|error| CodelintError(format!("cannot parse {}: {error}", file.display())))?;
        self.add_module_items(file, directory, path, &parsed.items)
    }

    fn add_module_items(
        &mut self,
        file: &Path,
        directory: &Path,
        path: &ModulePath,
        items: &[Item],
    ) -> Result<(), CodelintError> {
        let mut module = Module { file: file.into(), ..Module::default() };
        let mut children = Vec::new();
        for item in items {
            match item {
                Item::Mod(child) if !has_cfg_test_attribute(&child.attrs) => children.push(child),
                Item::Use(item) => collect_imports(&item.tree, &mut Vec::new(), &mut module),
                _ => module.definitions.extend(item_name(item)),
            }
        }
        let mut visitor = RustPathCollector { module: path, references: &mut module.references };
        for item in items {
            visitor.visit_item(item);
        }
        self.by_path.insert(path.clone(), module);
        for child in children {
            let name = child.ident.to_string();
            let path: ModulePath = path.iter().cloned().chain([name.clone()]).collect();
            let directory = directory.join(&name);
            if let Some((_, items)) = &child.content {
                self.add_module_items(file, &directory, &path, items)?;
                continue;
            }
            let sibling = directory.with_extension("rs");
            let file = if sibling.exists() { sibling } else { directory.join("mod.rs") };
            self.add_source_file(&file, &directory, &path)?;
        }
        Ok(())
    }

    /// Returns `None` if another crate defines the name.
    fn find_definition<'a>(
        &'a self,
        module: &[String],
        reference: &'a [String],
        depth: usize,
    ) -> Option<Definition<'a>> {
        const MAX_REEXPORT_DEPTH: usize = 8;
        let mut current: ModulePath = module.to_vec();
        let mut segments = reference.iter().map(String::as_str).peekable();
        match *segments.peek()? {
            "crate" => {
                current.clear();
                segments.next();
            }
            "self" => {
                segments.next();
            }
            "super" => {
                while segments.next_if_eq(&"super").is_some() {
                    current.pop();
                }
            }
            first => {
                let here = self.by_path.get(&current)?;
                let child = self.by_path.contains_key(&child_module_path(&current, first));
                if !child && !here.imports.contains_key(first) {
                    return None;
                }
            }
        }
        for name in segments {
            let child = child_module_path(&current, name);
            if self.by_path.contains_key(&child) {
                current = child;
                continue;
            }
            let (path, here) = self.by_path.get_key_value(&current)?;
            if here.definitions.contains(name) {
                return Some(Definition { path, module: here, name });
            }
            if depth >= MAX_REEXPORT_DEPTH {
                return None;
            }
            if let Some(target) = here.imports.get(name) {
                return self.find_definition(&current, target, depth + 1);
            }
            return here.globs.iter().find_map(|glob| {
                let target = self.find_definition(&current, glob, depth + 1)?;
                target.module.definitions.contains(name).then_some(Definition { name, ..target })
            });
        }
        let (path, module) = self.by_path.get_key_value(&current)?;
        Some(Definition { path, module, name: path.last().map_or("crate", String::as_str) })
    }
}

fn child_module_path(module: &[String], child: &str) -> ModulePath {
    module.iter().cloned().chain([child.to_owned()]).collect()
}

/// Does not collect the paths in child modules.
struct RustPathCollector<'a> {
    module: &'a ModulePath,
    references: &'a mut Vec<(ModulePath, Vec<String>)>,
}

impl<'ast> Visit<'ast> for RustPathCollector<'_> {
    fn visit_item_mod(&mut self, _: &'ast ItemMod) {}

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut imports = Module::default();
        collect_imports(&item.tree, &mut Vec::new(), &mut imports);
        // A re-export (`pub use`) does not make a file depend on another file; only a private `use` does.
        if matches!(item.vis, syn::Visibility::Inherited) {
            let paths = imports.imports.into_values().chain(imports.globs);
            self.references.extend(paths.map(|path| (self.module.clone(), path)));
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !has_cfg_test_attribute(&function.attrs) {
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if !has_cfg_test_attribute(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.references.push((self.module.clone(), segments));
        visit::visit_path(self, path);
    }
}

fn collect_imports(tree: &UseTree, prefix: &mut Vec<String>, module: &mut Module) {
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            collect_imports(&path.tree, prefix, module);
            prefix.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|item| collect_imports(item, prefix, module)),
        UseTree::Glob(_) => module.globs.push(prefix.clone()),
        UseTree::Name(name) if name.ident == "self" => {
            if let Some(last) = prefix.last() {
                module.imports.insert(last.clone(), prefix.clone());
            }
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            module.imports.insert(name.clone(), child_module_path(prefix, &name));
        }
        UseTree::Rename(rename) => {
            module.imports.insert(rename.rename.to_string(), child_module_path(prefix, &rename.ident.to_string()));
        }
    }
}

fn item_name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => {
            return item.ident.as_ref().map(ToString::to_string).or_else(|| find_enum_name_in_macro_call(item));
        }
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

/// Returns the name of the enum that a macro call defines, such as `Name` for `named_enum! { pub enum Name { … } }`.
fn find_enum_name_in_macro_call(call: &ItemMacro) -> Option<String> {
    let mut tokens = call.mac.tokens.clone().into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(keyword) if keyword == "enum"))?;
    tokens.next().map(|name| name.to_string())
}

fn has_cfg_test_attribute(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg = attribute.path().is_ident("cfg");
        let argument = || attribute.parse_args::<syn::Path>();
        is_cfg && argument().is_ok_and(|path| path.is_ident("test"))
    })
}

fn find_import_specifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').filter_map(|line| {
        let (_, rest) = line.rsplit_once("from \"").or_else(|| line.split_once("import \""))?;
        let (specifier, _) = rest.split_once('"')?;
        specifier.starts_with('.').then_some(specifier)
    })
}

fn normalize_path(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes files to a temporary directory and returns the cycles of the crate or of the TypeScript files.
    fn cycles_of(files: &[(&str, &str)]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut graph = ImportGraph::default();
        if files[0].0 == ROOT.0 {
            graph.add_crate_imports(&directory.path().join(files[0].0)).unwrap();
        } else {
            let files: Vec<PathBuf> = files.iter().map(|(name, _)| directory.path().join(name)).collect();
            graph.add_typescript_imports(&files).unwrap();
        }
        graph.find_import_cycles()
    }

    const ROOT: (&str, &str) = ("src/lib.rs", "mod a; mod b; pub use a::A;");

    #[test]
    fn files_that_import_each_other_are_a_cycle() {
        let found = cycles_of(&[
            ROOT,
            ("src/a.rs", "use crate::b::B; pub struct A(B);"),
            ("src/b.rs", "pub struct B; fn f() { crate::a::f(); }"),
        ]);
        assert_eq!(found.len(), 0, "`f` is not defined in a.rs: {found:?}");
        let found = cycles_of(&[
            ROOT,
            ("src/a.rs", "use crate::b::B; pub struct A(B);"),
            ("src/b.rs", "pub struct B(crate::a::A);"),
        ]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("a.rs imports") && found[0].contains("b.rs imports"), "{}", found[0]);
    }

    #[test]
    fn cycle_through_a_reexport_is_found() {
        let found = cycles_of(&[
            ROOT,
            ("src/a.rs", "use crate::b::B; pub struct A(B);"),
            ("src/b.rs", "use crate::A; pub struct B(A);"),
        ]);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn cycle_through_an_enum_defined_by_a_macro_call_is_found() {
        let found = cycles_of(&[
            ROOT,
            ("src/a.rs", "use crate::b::B; pub struct A(B);"),
            ("src/b.rs", "use crate::a::A; named_enum! { pub enum B { One = \"one\" } } fn f(a: A) {}"),
        ]);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn child_modules_may_import_from_their_parents() {
        let parent = ("src/a.rs", "mod child; pub struct A; fn f() { child::g() }");
        let child = ("src/a/child.rs", "use super::A; pub fn g() { let _ = A; }");
        assert_eq!(cycles_of(&[ROOT, parent, child, ("src/b.rs", "")]).len(), 0);
        let child = ("src/a/child.rs", "use crate::b::B; pub fn g() { let _ = B; }");
        let found = cycles_of(&[ROOT, parent, child, ("src/b.rs", "use crate::a::A; pub struct B; type X = A;")]);
        assert_eq!(found.len(), 1, "a cycle through the child");
    }

    #[test]
    fn test_code_is_ignored() {
        let a = ("src/a.rs", "use crate::b::B; pub struct A(B);");
        let b = ("src/b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }");
        assert_eq!(cycles_of(&[ROOT, a, b]).len(), 0);
    }

    #[test]
    fn typescript_cycle_is_found() {
        let a = ("web/a.ts", "import { b } from \"./parts/b\";\nexport const a = b;\n");
        let b = ("web/parts/b.tsx", "import type { a } from \"../a\";\nimport { createElement } from \"react\";\n");
        assert_eq!(cycles_of(&[a, b]).len(), 1);
        let b = ("web/parts/b.tsx", "import { createElement } from \"react\";\n");
        assert_eq!(cycles_of(&[a, b]).len(), 0);
    }
}
