using Spectre.Console;
using Spectre.Console.Rendering;

namespace InterGuest.Cli.Output;

/// <summary>
/// Where output for people goes: as wide as the terminal, or, elsewhere, as wide as it wants and plain.
/// </summary>
internal sealed class Screen(TextWriter writer, bool isTerminal, int width, bool colours)
{
    // Wide enough that nothing is ever wrapped; tables are only as wide as their content.
    private const int Unlimited = 100_000;

    public TextWriter Writer { get; } = writer;

    public bool IsTerminal { get; } = isTerminal;

    public bool Colours { get; } = colours;

    public int Width { get; } = isTerminal && width > 0 ? width : Unlimited;

    public void WriteLine(string line = "") => Writer.WriteLine(line);

    public void Write(IRenderable renderable)
    {
        using var rendered = new StringWriter();
        Console(rendered).Write(renderable);
        // Tables fill their last column with blanks.
        foreach (string line in rendered.ToString().TrimEnd('\n').Split('\n'))
            Writer.WriteLine(line.TrimEnd());
    }

    // Everything is said, so that Spectre.Console does not go and look at the process's terminal.
    private IAnsiConsole Console(TextWriter to) => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Ansi = Colours ? AnsiSupport.Yes : AnsiSupport.No,
        ColorSystem = Colours ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
        Interactive = InteractionSupport.No,
        Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
        Out = new ScreenOutput(to, Width, IsTerminal),
    });
}
