namespace InterGuest.Cli.Output;

/// <summary>
/// A terminal's other page, drawn anew again and again; what was on the terminal is there again afterwards. Each drawing is one
/// write, over the one before, so that nothing flickers, and is cut where the terminal ends.
/// </summary>
internal sealed class LiveScreen : IDisposable
{
    private const string Enter = "\e[?1049h\e[?25l", Leave = "\e[?25h\e[?1049l", Home = "\e[H", ToLineEnd = "\e[K", ToPageEnd = "\e[J";
    private readonly CliContext _context;

    public LiveScreen(CliContext context)
    {
        _context = context;
        context.Out.Write(Enter);
    }

    public void Show(Action<Screen> draw)
    {
        (int width, int height) = _context.Window();
        using var page = new StringWriter { NewLine = "\n" };
        draw(new Screen(page, isTerminal: true, width, _context.Screen.Colours));
        IEnumerable<string> lines = page.ToString().TrimEnd('\n').Split('\n').Take(Math.Max(1, height - 1));
        _context.Out.Write(Home + string.Concat(lines.Select(line => line + ToLineEnd + "\n")) + ToPageEnd);
    }

    public void Dispose() => _context.Out.Write(Leave);
}
