using Spectre.Console;

namespace InterGuest.Cli.Output;

/// <summary>Lines of a name and a value; a value of several lines stays in its column.</summary>
internal sealed class KeyValues
{
    private readonly Table _table = Tables.Of("", "~").HideHeaders();

    public bool IsEmpty => _table.Rows.Count == 0;

    public void Add(string key, string value, Style? style = null)
    {
        if (value.Length > 0)
            _table.AddRow(new Text(key), Tables.Cell(value, style));
    }

    public void Add(string key, IEnumerable<string> values, Style? style = null)
    {
        foreach (string value in values.Where(value => value.Length > 0))
        {
            Add(key, value, style);
            key = "";
        }
    }

    public void WriteTo(Screen screen) => screen.Write(_table);
}
