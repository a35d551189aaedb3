using Spectre.Console;

namespace InterGuest.Cli.Output;

/// <summary>The look of all tables: no lines, two blanks between columns, good for eyes and for awk.</summary>
internal static class Tables
{
    /// <summary>
    /// A column whose name begins with '~' may be wrapped when the terminal is narrow; the others never are.
    /// </summary>
    public static Table Of(params string[] columns)
    {
        Table table = new Table().Border(TableBorder.None);
        foreach (string column in columns)
        {
            bool wraps = column.StartsWith('~');
            var header = new Text(wraps ? column[1..] : column, new Style(decoration: Decoration.Bold));
            table.AddColumn(new TableColumn(header) { NoWrap = !wraps, Padding = new Padding(0, 0, 2, 0) });
        }
        return table;
    }

    public static Text Cell(string text, Style? style = null) => new(Words.Clean(text), style);

    public static Text Cell(ulong number) => new(Units.Number(number));
}
