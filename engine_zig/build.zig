const std = @import("std");

/// Levels of x86-64 for which the kernels are compiled beside the baseline, see src/cpu.zig.
const levels = [_]struct { []const u8, *const std.Target.Cpu.Model }{
    .{ "x86_64_v2", &std.Target.x86.cpu.x86_64_v2 },
    .{ "x86_64_v3", &std.Target.x86.cpu.x86_64_v3 },
    .{ "x86_64_v4", &std.Target.x86.cpu.x86_64_v4 },
};

pub fn build(b: *std.Build) void {
    const target = b.standardTargetOptions(.{});
    const optimize = b.standardOptimizeOption(.{});

    const kernels = levelled(b, target, optimize);
    const whole = b.addObject(.{
        .name = "engine",
        .root_module = module(b, "src/root.zig", target, optimize),
    });
    // A library of Windows needs what Zig starts one with, which an object does not bring.
    const windows = target.result.os.tag == .windows;

    const library = b.addLibrary(.{
        .name = "snn_engine",
        .linkage = .dynamic,
        .root_module = module(b, if (windows) "src/root.zig" else null, target, optimize),
    });
    const executable = b.addExecutable(.{
        .name = "snn-engine",
        .root_module = module(b, "src/main.zig", target, optimize),
    });
    for ([_]*std.Build.Step.Compile{ library, executable }) |made| {
        if (made == executable or !windows) made.root_module.addObject(whole);
        for (kernels) |object| made.root_module.addObject(object);
        b.getInstallStep().dependOn(&b.addInstallArtifact(made, .{
            .dest_dir = .{ .override = if (made == library) .lib else .bin },
            .implib_dir = .disabled,
            .pdb_dir = .disabled,
        }).step);
    }

    const tests = b.addTest(.{ .root_module = module(b, "src/root.zig", target, optimize) });
    for (kernels) |object| tests.root_module.addObject(object);
    b.step("test", "Run the unit tests").dependOn(&b.addRunArtifact(tests).step);

    const fuzz = b.addExecutable(.{
        .name = "fuzz",
        .root_module = module(b, "src/fuzz.zig", target, optimize),
    });
    for (kernels) |object| fuzz.root_module.addObject(object);
    b.step("fuzz", "Build the fuzzer").dependOn(&b.addInstallArtifact(fuzz, .{}).step);
}

/// `file` as a module; null: one of objects alone.
fn module(
    b: *std.Build,
    file: ?[]const u8,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
) *std.Build.Module {
    return b.createModule(.{
        .root_source_file = if (file) |path| b.path(path) else null,
        .target = target,
        .optimize = optimize,
        .strip = optimize == .ReleaseFast,
        .pic = true,
        // Threads must be the C library's: the process that loads this library has one, its signal
        // handlers run on any thread, and they need its thread-local storage.
        .link_libc = target.result.os.tag != .windows,
    });
}

/// The kernels, compiled once for each level that the processors of `target` may have.
fn levelled(
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
) []const *std.Build.Step.Compile {
    if (target.result.cpu.arch != .x86_64) return &.{};
    var made: std.ArrayList(*std.Build.Step.Compile) = .empty;
    for (levels) |level| {
        for ([_][]const u8{ "clocked", "event" }) |execution| {
            const object = compiled(b, target, optimize, execution, level[0], level[1]);
            made.append(b.allocator, object) catch @panic("OOM");
        }
    }
    return made.items;
}

fn compiled(
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
    execution: []const u8,
    level: []const u8,
    model: *const std.Target.Cpu.Model,
) *std.Build.Step.Compile {
    var query = target.query;
    query.cpu_model = .{ .explicit = model };
    // Event execution does nothing but add vectors: the widest are the fastest.
    if (std.mem.eql(u8, execution, "event"))
        query.cpu_features_sub.addFeature(@intFromEnum(std.Target.x86.Feature.prefer_256_bit));
    const options = b.addOptions();
    options.addOption([]const u8, "execution", execution);
    options.addOption([]const u8, "level", level);
    const root = b.createModule(.{
        .root_source_file = b.path("src/level.zig"),
        .target = b.resolveTargetQuery(query),
        .optimize = optimize,
        .strip = optimize == .ReleaseFast,
        .pic = true,
    });
    root.addOptions("options", options);
    const name = b.fmt("{s}_{s}", .{ execution, level });
    return b.addObject(.{ .name = name, .root_module = root });
}
