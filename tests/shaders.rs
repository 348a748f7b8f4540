//! Every shader is valid WGSL for wgpu and for browsers, and can be translated to what each platform runs.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test fails by panicking, and says what it skips"
)]

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use vae::kernels::{self, VariableKind};
use vae::plan::Access;

fn parsed(file: &str) -> (naga::Module, ModuleInfo) {
    let module = naga::front::wgsl::parse_str(&kernels::source(file)).unwrap();
    // No capability beyond WebGPU 1.0.
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module).unwrap();
    (module, info)
}

/// The kernel alone, its override constants replaced by the value 1.
fn specialised(kernel: &kernels::Kernel) -> (naga::Module, ModuleInfo) {
    let (module, info) = parsed(kernel.file);
    let constants = kernel.overrides.iter().map(|name| (name.clone(), 1.0)).collect();
    let entry = Some((naga::ShaderStage::Compute, kernel.entry.as_str()));
    let (module, info) =
        naga::back::pipeline_constants::process_overrides(&module, &info, entry, &constants).unwrap();
    (module.into_owned(), info.into_owned())
}

#[test]
fn every_kernel_translates_to_spirv_msl_hlsl_and_glsl() {
    for kernel in kernels::all() {
        let (module, info) = specialised(kernel);
        let name = &kernel.name;

        let words = naga::back::spv::write_vec(&module, &info, &naga::back::spv::Options::default(), None)
            .unwrap_or_else(|error| panic!("{name}: SPIR-V: {error}"));
        assert_eq!(words[0], 0x0723_0203, "{name}: not SPIR-V");

        let options = naga::back::msl::Options { fake_missing_bindings: true, ..Default::default() };
        let (msl, _) = naga::back::msl::write_string(&module, &info, &options, &Default::default())
            .unwrap_or_else(|error| panic!("{name}: MSL: {error}"));
        assert!(msl.contains("kernel"), "{name}: {msl}");

        let mut hlsl = String::new();
        let options = naga::back::hlsl::Options { fake_missing_bindings: true, ..Default::default() };
        naga::back::hlsl::Writer::new(&mut hlsl, &options, &Default::default())
            .write(&module, &info, None)
            .unwrap_or_else(|error| panic!("{name}: HLSL: {error}"));
        assert!(hlsl.contains("numthreads"), "{name}");

        let mut glsl = String::new();
        let options = naga::back::glsl::Options {
            version: naga::back::glsl::Version::Embedded { version: 310, is_webgl: false },
            ..Default::default()
        };
        let pipeline = naga::back::glsl::PipelineOptions {
            shader_stage: naga::ShaderStage::Compute,
            entry_point: kernel.entry.clone(),
            multiview: None,
        };
        let policies = naga::proc::BoundsCheckPolicies::default();
        naga::back::glsl::Writer::new(&mut glsl, &module, &info, &options, &pipeline, policies)
            .and_then(|mut writer| writer.write().map(drop))
            .unwrap_or_else(|error| panic!("{name}: GLSL: {error}"));
        assert!(glsl.contains("local_size_x"), "{name}");
    }
}

/// Whether `block`, a loop's body where `in_loop`, runs a `switch` in a loop: itself, or in a function that it calls.
fn switches_in_loop(module: &naga::Module, block: &naga::Block, in_loop: bool) -> bool {
    use naga::Statement as S;
    block.iter().any(|statement| match statement {
        S::Switch { cases, .. } => {
            in_loop || cases.iter().any(|case| switches_in_loop(module, &case.body, false))
        }
        S::Loop { body, continuing, .. } => {
            switches_in_loop(module, body, true) || switches_in_loop(module, continuing, true)
        }
        S::If { accept, reject, .. } => {
            switches_in_loop(module, accept, in_loop) || switches_in_loop(module, reject, in_loop)
        }
        S::Block(block) => switches_in_loop(module, block, in_loop),
        S::Call { function, .. } => switches_in_loop(module, &module.functions[*function].body, in_loop),
        _ => false,
    })
}

/// FXC, the compiler of DirectX where DXC is missing, fails on it (gfx-rs/wgpu#5656).
#[test]
fn no_kernel_has_a_switch_inside_a_loop() {
    let found = |text: &str| {
        let module = naga::front::wgsl::parse_str(text).unwrap();
        switches_in_loop(&module, &module.entry_points[0].function.body, false)
    };
    let called = "fn f(i: u32) { switch i { case 1u: { return; } default: {} } }";
    assert!(!found(&format!("{called} @compute @workgroup_size(1) fn main() {{ f(3u); }}")));
    assert!(found(&format!(
        "{called} @compute @workgroup_size(1) fn main() {{ for (var i = 0u; i < 2u; i++) {{ f(i); }} }}"
    )));
    for kernel in kernels::all() {
        let (module, _) = specialised(kernel);
        let body = &module.entry_points[0].function.body;
        assert!(!switches_in_loop(&module, body, false), "{}", kernel.name);
    }
}

#[test]
fn kernels_stay_within_the_limits_every_adapter_has() {
    for kernel in kernels::all() {
        let [x, y, z] = kernel.workgroup_size;
        assert!(x * y * z <= 256, "{}", kernel.name);
        assert!(kernel.storage().count() <= 8, "{}", kernel.name);
        let (module, _) = specialised(kernel);
        let mut layouter = naga::proc::Layouter::default();
        layouter.update(module.to_ctx()).unwrap();
        let shared: u32 = module
            .global_variables
            .iter()
            .filter(|(_, variable)| variable.space == naga::AddressSpace::WorkGroup)
            .map(|(_, variable)| layouter[variable.ty].size)
            .sum();
        assert!(shared <= 16 << 10, "{}: {shared} bytes of workgroup memory", kernel.name);
    }
}

#[test]
fn the_step_record_is_laid_out_alike_on_both_sides() {
    let (module, _) = parsed("sum.wgsl");
    let (_, record) = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some("Step")).unwrap();
    let naga::TypeInner::Struct { members, span } = &record.inner else { panic!("Step is a struct") };
    assert_eq!(*span as usize, size_of::<vae::plan::Step>());
    let shader: BTreeMap<&str, usize> =
        members.iter().map(|m| (m.name.as_deref().unwrap(), m.offset as usize)).collect();
    macro_rules! offsets {
        ($($field:ident),*) => { [$((stringify!($field), std::mem::offset_of!(vae::plan::Step, $field))),*] };
    }
    let host = offsets!(
        seed_low,
        seed_high,
        counter_low,
        counter_high,
        stream,
        slot,
        rows,
        first_index,
        numbers,
        groups,
        padding
    );
    for (field, offset) in host {
        assert_eq!(shader.get(field), Some(&offset), "{field}");
    }
    assert_eq!(shader.len(), host.len());
}

#[test]
fn activations_have_the_same_numbers_on_both_sides() {
    use vae::graph::Activation as A;
    let kernel = kernels::kernel("activate");
    for (name, activation) in [
        ("IDENTITY", A::Identity),
        ("TANH", A::Tanh),
        ("RELU", A::Relu),
        ("LEAKY_RELU", A::LeakyRelu),
        ("ELU", A::Elu),
        ("SOFTPLUS", A::Softplus),
        ("SIGMOID", A::Sigmoid),
        ("SILU", A::Silu),
        ("GELU", A::Gelu),
    ] {
        assert_eq!(kernel.constant(name), activation.number(), "{name}");
    }
}

#[test]
fn reflection_reads_what_the_wgsl_says() {
    let adam = kernels::kernel("adam");
    let names: Vec<(&str, Access)> = adam.storage().map(|(v, access)| (v.name.as_str(), access)).collect();
    assert_eq!(
        names,
        [
            ("gradients", Access::Read),
            ("norm", Access::Read),
            ("parameters", Access::ReadWrite),
            ("first", Access::ReadWrite),
            ("second", Access::ReadWrite)
        ]
    );
    assert_eq!(adam.workgroup_size, [64, 1, 1]);
    assert!(
        adam.variables.iter().any(|variable| variable.kind == VariableKind::Step && variable.binding == 0)
    );
    // SGD keeps one moment, and so neither binds nor is told of a second.
    let sgd = kernels::kernel("sgd");
    assert!(!sgd.storage().any(|(variable, _)| variable.name == "second"));
    assert!(!sgd.overrides.contains(&"BETA_2".to_string()));
}

/// tint is the WGSL compiler of Chrome.
#[test]
fn tint_accepts_every_file() {
    if Command::new("tint").arg("--help").output().is_err() {
        println!("SKIPPED: tint is not installed");
        return;
    }
    for file in kernels::files() {
        let mut source = tempfile::Builder::new().suffix(".wgsl").tempfile().unwrap();
        source.write_all(kernels::source(file).as_bytes()).unwrap();
        let output = Command::new("tint")
            .args(["--format", "wgsl"])
            .arg(source.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("error:"), "{file}: {said}");
    }
}
