using System.Text;
using Spectre.Console;

namespace InterGuest.Cli.Output;

/// <summary>Spectre.Console's view of a <see cref="Screen"/>.</summary>
internal sealed class ScreenOutput(TextWriter writer, int width, bool isTerminal) : IAnsiConsoleOutput
{
    public TextWriter Writer => writer;

    public bool IsTerminal => isTerminal;

    public int Width => width;

    public int Height => 24;

    public void SetEncoding(Encoding encoding)
    {
        // The writer has its own.
    }
}
