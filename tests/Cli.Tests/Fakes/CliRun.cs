using InterGuest.Cli.Output;

namespace InterGuest.Cli.Tests.Fakes;

/// <summary>The command line, run inside this process: what it wrote and what it answered.</summary>
internal sealed class CliRun
{
    public static readonly DateTimeOffset Now = new(2026, 3, 4, 12, 0, 0, TimeSpan.Zero);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public string Input { get; init; } = "";

    public Dictionary<string, string> Variables { get; } = [];

    public bool IsTerminal { get; init; }

    public int Width { get; init; } = 80;

    public bool Colours { get; init; }

    public bool IsRoot { get; init; }

    public TimeSpan CallDeadline { get; init; } = TimeSpan.FromSeconds(60);

    public TimeSpan QuickDeadline { get; init; } = TimeSpan.FromSeconds(60);

    public int WindowHeight { get; init; } = 24;

    /// <summary>What went to standard output as bytes.</summary>
    public MemoryStream Binary { get; } = new();

    public LineWriter Out { get; } = new();

    public LineWriter Error { get; } = new();

    /// <summary>On another thread and not for ever: a command that hangs is a failure of its test alone.</summary>
    public Task<int> RunAsync(string[] arguments, CancellationToken cancellation) =>
        Task.Run(() => CommandLine.RunAsync(arguments, Context(), cancellation), CancellationToken.None)
            .WaitAsync(Patience, CancellationToken.None);

    public Task<int> RunAsync(params string[] arguments) => RunAsync(arguments, CancellationToken.None);

    /// <summary>
    /// Runs, and gives what it wrote to standard output; that it succeeds and is silent otherwise is asserted.
    /// </summary>
    public async Task<string> OutputAsync(params string[] arguments)
    {
        int exitCode = await RunAsync(arguments);
        Assert.Equal("", Error.ToString());
        Assert.Equal(0, exitCode);
        return Out.ToString();
    }

    public CliContext Context() => new()
    {
        Screen = new Screen(Out, IsTerminal, Width, Colours),
        In = new StringReader(Input),
        Error = Error,
        ErrorIsTerminal = IsTerminal,
        Environment = name => Variables.GetValueOrDefault(name),
        IsRoot = IsRoot,
        UserName = "jo",
        Clock = new FixedClock(Now),
        Window = () => (Width, WindowHeight),
        OpenBinary = () => Binary,
        CallDeadline = CallDeadline,
        QuickDeadline = QuickDeadline,
    };
}
