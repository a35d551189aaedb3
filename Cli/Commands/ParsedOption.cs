using System.CommandLine;

namespace InterGuest.Cli.Commands;

/// <summary>Options whose text this program reads itself, so that a wrong one is answered in its own words.</summary>
internal static class ParsedOption
{
    /// <param name="name">With its dashes.</param>
    /// <param name="helpName">What stands for the value in help.</param>
    /// <param name="description">For help.</param>
    /// <param name="parse">Null: the text is wrong.</param>
    /// <param name="rule">What would be right; the end of a sentence about the wrong text.</param>
    public static Option<T?> Create<T>(
        string name, string helpName, string description, Func<string, T?> parse, string rule) => new(name)
        {
            HelpName = helpName,
            Description = description,
            CustomParser = result =>
            {
                string text = result.Tokens.Count > 0 ? result.Tokens[0].Value : "";
                T? value = parse(text);
                if (value is null)
                    result.AddError($"{name}: '{text}' is not {rule}");
                return value;
            },
        };
}
