using System.CommandLine;
using InterGuest.Cli.Qemu;

namespace InterGuest.Cli.Commands;

/// <summary>The options of `qemu`, and what they and the machine make together.</summary>
internal sealed class QemuOptions
{
    private const string DefaultProgram = "qemu-system-x86_64";

    private readonly Option<string?> _memory = ParsedOption.Create("--memory", "SIZE",
        "The guest's memory; without a unit, MiB. Default: 512M.",
        MemoryText.Parse, "a size: a whole number with K, M, G or T, as in 512M");

    private readonly Option<string> _accelerator = new("--accel")
    {
        Description = "auto: kvm if /dev/kvm can be opened. It may be there and not work: say tcg then. Default: auto.",
        HelpName = "auto|kvm|tcg",
    };

    private readonly Option<string> _program = new("--qemu")
    {
        Description = $"The QEMU that is asked for its version. Default: {DefaultProgram}.",
        HelpName = "BIN",
    };

    private readonly Option<bool> _plainFrames = new("--plain-frames")
    {
        Description = "The guest receives frames with complete checksums and none above its MTU: what the other end leaves to "
            + "be done, the switch does. For a guest that uses XDP.",
    };

    public QemuOptions() =>
        _accelerator.AcceptOnlyFromAmong("auto", "kvm", "tcg");

    public void AddTo(Command command)
    {
        command.Add(_memory);
        command.Add(_accelerator);
        command.Add(_program);
        command.Add(_plainFrames);
    }

    public async Task<(QemuSettings Settings, IReadOnlyList<QemuNote> Notes)> SettingsAsync(
        ParseResult result, CancellationToken cancellation)
    {
        var notes = new List<QemuNote>();
        string program = result.GetValue(_program) ?? DefaultProgram;
        Version? version = await QemuProbe.VersionAsync(program, cancellation);
        if (version is null)
            notes.Add(new QemuNote($"'{program} --version' says nothing: these arguments are for the newest QEMU; "
                + "name another one with --qemu", Always: true));
        bool kvm = result.GetValue(_accelerator) switch
        {
            "kvm" => true,
            "tcg" => false,
            _ => QemuProbe.KvmOpens(),
        };
        var settings = new QemuSettings(result.GetValue(_memory) ?? "512M", kvm, version ?? QemuProbe.Newest, result.GetValue(_plainFrames));
        if (QemuArguments.NeedsNoVectors(settings))
            notes.Add(new QemuNote($"vectors=0: QEMU {settings.Version} without KVM crashes when a vhost-user network "
                + "device has MSI-X; QEMU 10 does not", Always: false));
        return (settings, notes);
    }
}
