//! A plan as a table for people.

use super::{Dispatch, Plan, Role};
use crate::text::{human_bytes, human_number, table, thousands};

/// Every dispatch in order, what each program comes to, and the buffers by role.
pub fn describe(plan: &Plan) -> String {
    let names: Vec<String> =
        plan.programs.iter().enumerate().map(|(i, program)| format!("{} {}", i + 1, program.name)).collect();
    format!(
        "Dispatches (programs: {})\n\n{}\nPrograms, each run once a step\n\n{}\nBuffers\n\n{}",
        names.join(", "),
        dispatches(plan),
        programs(plan),
        buffers(plan)
    )
}

fn dispatches(plan: &Plan) -> String {
    let rows: Vec<[String; 7]> = plan
        .dispatches
        .iter()
        .enumerate()
        .map(|(number, dispatch)| {
            let used = plan.programs.iter().enumerate().map(|(i, program)| {
                if program.dispatches.contains(&number) { (i + 1).to_string() } else { "·".to_string() }
            });
            [
                number.to_string(),
                used.collect(),
                dispatch.label.clone(),
                dispatch.kernel.to_string(),
                grid(dispatch),
                human_number(dispatch.flops as f64),
                human_bytes(dispatch.bytes),
            ]
        })
        .collect();
    table([">#", "programs", "computes", "kernel", ">workgroups", ">FLOP", ">bytes"], &rows)
}

/// `7x10`, without the dimensions that are 1 at the end.
fn grid(dispatch: &Dispatch) -> String {
    let [x, y, z] = dispatch.grid;
    match (y, z) {
        (1, 1) => x.to_string(),
        (_, 1) => format!("{x}x{y}"),
        _ => format!("{x}x{y}x{z}"),
    }
}

fn programs(plan: &Plan) -> String {
    let rows: Vec<[String; 5]> = plan
        .programs
        .iter()
        .map(|program| {
            let dispatches = || program.dispatches.iter().map(|&index| &plan.dispatches[index]);
            let (flops, bytes) = dispatches()
                .fold((0, 0), |(flops, bytes), dispatch| (flops + dispatch.flops, bytes + dispatch.bytes));
            [
                program.name.to_string(),
                program.dispatches.len().to_string(),
                format!("{:.4}", flops as f64 / 1e9),
                human_bytes(bytes),
                format!("{:.1}", flops as f64 / bytes.max(1) as f64),
            ]
        })
        .collect();
    table(["program", ">dispatches", ">GFLOP", ">bytes", ">FLOP/byte"], &rows)
}

fn buffers(plan: &Plan) -> String {
    let mut sorted: Vec<_> = plan.buffers.iter().collect();
    sorted.sort_by_key(|buffer| buffer.role);
    let mut rows = Vec::new();
    let mut role = None;
    for buffer in &sorted {
        let shape: Vec<String> = buffer.shape.iter().map(|&size| thousands(size)).collect();
        let name = if role == Some(buffer.role) { "" } else { role_name(buffer.role) };
        role = Some(buffer.role);
        rows.push([name.into(), buffer.name.clone(), shape.join(" x "), human_bytes(buffer.bytes())]);
    }
    let total: u64 = plan.buffers.iter().map(super::Buffer::bytes).sum();
    rows.push(["total".into(), format!("{} buffers", sorted.len()), String::new(), human_bytes(total)]);
    let table = table(["role", "buffer", ">shape", ">size"], &rows);
    let (blocks, held) = (plan.blocks().len(), human_bytes(plan.memory_bytes()));
    format!(
        "{table}\nPeak device memory: {held} in {blocks} blocks; buffers never in use at once share one.\n\
         Distinct pipelines (a kernel with its constants): {}\n",
        plan.pipelines()
    )
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Dataset => "dataset",
        Role::Input => "input",
        Role::Parameter => "parameters",
        Role::Gradient => "gradients",
        Role::Moment => "moments",
        Role::Activation => "activations",
        Role::State => "state",
        Role::Metric => "metrics",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::data::ImageShape;
    use crate::graph::{Setting, Tensors};
    use crate::session::plan_task;

    #[test]
    fn everything_in_a_plan_is_described() {
        let config =
            Config::default().with("model.hidden = [7]\nrun.batch-size = 5").unwrap().resolve().unwrap();
        let shape = ImageShape { width: 4, height: 4, channels: 1 };
        let setting = Setting { train_images: 20, test_images: 10, max_steps: 2, streamed: false };
        let plan =
            plan_task(&config.task(shape), &Tensors::default(), Some(&config.optimizers()), setting).unwrap();
        let text = describe(&plan);
        for buffer in &plan.buffers {
            assert!(text.contains(&buffer.name), "{} is not in\n{text}", buffer.name);
        }
        for (number, dispatch) in plan.dispatches.iter().enumerate() {
            let row = text.lines().find(|line| line.trim_start().starts_with(&format!("{number} "))).unwrap();
            assert!(row.contains(&dispatch.label) && row.contains(dispatch.kernel.as_ref()), "{row}");
        }
        for program in &plan.programs {
            let row = text.lines().find(|line| line.starts_with(program.name.as_ref())).unwrap();
            let words: Vec<&str> = row.split_whitespace().collect();
            assert_eq!(words[1], program.dispatches.len().to_string(), "{row}");
        }
        let total: u64 = plan.buffers.iter().map(crate::plan::Buffer::bytes).sum();
        let row = text.lines().find(|line| line.starts_with("total")).unwrap();
        assert!(row.ends_with(&human_bytes(total)), "{row}");
        let peak = format!("Peak device memory: {} in", human_bytes(plan.memory_bytes()));
        assert!(text.contains(&peak), "{peak} is not in\n{text}");
        assert!(describe(&Plan::default()).contains("0 buffers"));
    }
}
