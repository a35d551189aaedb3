using System.Text;
using InterGuest.Cli.Output;

namespace InterGuest.Cli;

/// <summary>All that a command takes from its process, so that tests can give something else.</summary>
internal sealed record CliContext : IAsyncDisposable
{
    public required Screen Screen { get; init; }

    public required TextWriter Error { get; init; }

    public TextReader In { get; init; } = TextReader.Null;

    public bool ErrorIsTerminal { get; init; }

    public required Func<string, string?> Environment { get; init; }

    public bool IsRoot { get; init; }

    public string UserName { get; init; } = "";

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    public TimeZoneInfo Zone { get; init; } = TimeZoneInfo.Utc;

    /// <summary>The deadline of every call but Watch.</summary>
    public TimeSpan CallDeadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a person who pressed Tab, or asked for versions, waits for the switch.</summary>
    public TimeSpan QuickDeadline { get; init; } = TimeSpan.FromMilliseconds(300);

    public Func<int> InterruptExitCode { get; init; } = () => 130;

    /// <summary>The terminal's size now, for what is drawn again and again.</summary>
    public Func<(int Width, int Height)> Window { get; init; } = () => (Console.WindowWidth, Console.WindowHeight);

    /// <summary>Standard output for bytes.</summary>
    public Func<Stream> OpenBinary { get; init; } = StandardOutput.Open;

    public TextWriter Out => Screen.Writer;

    public static CliContext OfProcess(Interrupt interrupt)
    {
        bool terminal = !Console.IsOutputRedirected;
        return new CliContext
        {
            Screen = new Screen(OpenOutput(), terminal, terminal ? Console.WindowWidth : 0, terminal && WantsColours()),
            Error = new StreamWriter(Console.OpenStandardError(), Utf8) { AutoFlush = true },
            In = new StreamReader(Console.OpenStandardInput(), Utf8),
            ErrorIsTerminal = !Console.IsErrorRedirected,
            Environment = System.Environment.GetEnvironmentVariable,
            IsRoot = System.Environment.IsPrivilegedProcess,
            UserName = System.Environment.UserName,
            Zone = TimeZoneInfo.Local,
            InterruptExitCode = () => interrupt.ExitCode,
        };
    }

    public async ValueTask DisposeAsync()
    {
        await Out.DisposeAsync();
        await Error.DisposeAsync();
    }

    private static UTF8Encoding Utf8 { get; } = new(encoderShouldEmitUTF8Identifier: false);

    private static bool WantsColours() =>
        string.IsNullOrEmpty(System.Environment.GetEnvironmentVariable("NO_COLOR"))
        && System.Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    // Not Console.Out: that sets up terminal handling that nothing here needs, and its stream hides that a pipe's
    // reader has gone, so that `interguest watch | head -1` would never end.
    private static StreamWriter OpenOutput() => new(StandardOutput.Open(), Utf8) { AutoFlush = true };
}
