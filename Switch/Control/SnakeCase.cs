namespace InterGuest.Switch.Control;

/// <summary>Names of reasons and states as the outside sees them: NoBuffers is no_buffers. Part of the interface, so an enum's name is too.</summary>
internal static class SnakeCase
{
    public static string Of<T>(T value)
        where T : struct, Enum => Names<T>.Of(value);

    private static class Names<T>
        where T : struct, Enum
    {
        private static readonly Dictionary<T, string> Known = Enum.GetValues<T>().ToDictionary(v => v, v => Convert(v.ToString()));

        public static string Of(T value) => Known[value];

        private static string Convert(string name) =>
            string.Concat(name.Select((c, i) => char.IsUpper(c) && i > 0 ? "_" + char.ToLowerInvariant(c) : char.ToLowerInvariant(c).ToString()));
    }
}
