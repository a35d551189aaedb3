using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;

namespace InterGuest.StandIns.Tests;

/// <summary>
/// An assembly read as metadata, without loading it. Types and signatures are compared as text, by full names
/// without assemblies: <c>Grpc.Core.Method`2</c>, <c>System.Func`1&lt;!0&gt;</c>.
/// </summary>
internal sealed partial class AssemblySurface : IDisposable
{
    private readonly PEReader _file;
    private readonly MetadataReader _reader;
    private readonly Dictionary<string, TypeDefinitionHandle> _types = [];
    private readonly SignatureNames _names = new();

    internal AssemblySurface(string path, string? name = null)
    {
        _file = new PEReader(File.OpenRead(path));
        _reader = _file.GetMetadataReader();
        Name = name ?? _reader.GetString(_reader.GetAssemblyDefinition().Name);
        foreach (TypeDefinitionHandle handle in _reader.TypeDefinitions)
            _types[SignatureNames.NameOf(_reader, handle)] = handle;
    }

    internal string Name { get; }

    private ImmutableArray<string> Friends =>
        [.. from handle in _reader.GetAssemblyDefinition().GetCustomAttributes()
            let attribute = _reader.GetCustomAttribute(handle)
            where AttributeName(attribute) == "System.Runtime.CompilerServices.InternalsVisibleToAttribute"
            let blob = _reader.GetBlobReader(attribute.Value)
            select FirstString(blob).Split(',')[0]];

    public void Dispose() => _file.Dispose();

    /// <summary>
    /// Looks up in the target everything of it that this assembly refers to or overrides. What is not there, or not
    /// to be seen from here, goes to the problems.
    /// </summary>
    internal (int Types, int Members, int Overrides) Check(AssemblySurface target, ICollection<string> problems)
    {
        int types = 0;
        int members = 0;
        int overrides = 0;
        foreach (TypeReferenceHandle handle in _reader.TypeReferences)
        {
            if (AssemblyOf(handle) != target.Name)
                continue;
            types++;
            string name = SignatureNames.NameOf(_reader, handle);
            if (!target._types.ContainsKey(name))
                problems.Add($"{Name}: type {target.Name}: {name} is missing");
            else if (!target.CanSeeType(name, Name))
                problems.Add($"{Name}: type {target.Name}: {name} is not visible");
        }

        foreach (MemberReferenceHandle handle in _reader.MemberReferences)
        {
            MemberReference member = _reader.GetMemberReference(handle);
            if (OwnerIn(target, member.Parent) is not { } owner)
                continue;
            members++;
            string name = _reader.GetString(member.Name);
            string wanted = member.GetKind() == MemberReferenceKind.Method
                ? MethodText(name, member.DecodeMethodSignature(_names, null))
                : FieldText(name, member.DecodeFieldSignature(_names, null));
            if (target.FindMember(owner.Name, wanted, Name) is { } problem)
                problems.Add($"{Name}: member {target.Name}: {owner.Name}: {wanted} is {problem}");
        }

        foreach (TypeDefinition type in _reader.TypeDefinitions.Select(_reader.GetTypeDefinition))
        {
            if (StandInBase(target, type) is not { } @base)
                continue;
            foreach (MethodDefinition method in type.GetMethods().Select(_reader.GetMethodDefinition))
            {
                // An override reuses the slot of a virtual method of a base; without one there, it overrides nothing.
                if ((method.Attributes & (MethodAttributes.Virtual | MethodAttributes.VtableLayoutMask))
                    != MethodAttributes.Virtual)
                    continue;
                string text = MethodText(_reader.GetString(method.Name), method.DecodeSignature(_names, null));
                if (text is "0 string ToString()" or "0 bool Equals(object)" or "0 int GetHashCode()"
                    || OwnBasesHave(type, text))
                    continue;
                overrides++;
                if (!target.HasVirtual(@base, text))
                    problems.Add($"{Name}: override {target.Name}: {@base.Name}: {text} has nothing to override");
            }
        }

        return (types, members, overrides);
    }

    private static string MethodText(string name, MethodSignature<string> signature) =>
        $"{signature.GenericParameterCount} {(signature.Header.IsInstance ? "" : "static ")}{signature.ReturnType} "
        + $"{name}({string.Join(", ", signature.ParameterTypes)})";

    private static string FieldText(string name, string type) => $"field {type} {name}";

    private static string FirstString(BlobReader blob)
    {
        _ = blob.ReadUInt16();
        return blob.ReadSerializedString() ?? "";
    }

    private static string Substitute(string text, ImmutableArray<string> arguments) => arguments.IsEmpty
        ? text
        : TypeParameter().Replace(text, match => arguments[int.Parse(match.Groups[1].ValueSpan, null)]);

    [GeneratedRegex(@"(?<!!)!(\d+)")]
    private static partial Regex TypeParameter();

    private string AttributeName(CustomAttribute attribute) => attribute.Constructor.Kind switch
    {
        HandleKind.MemberReference => SignatureNames.NameOf(
            _reader,
            (TypeReferenceHandle)_reader.GetMemberReference((MemberReferenceHandle)attribute.Constructor).Parent),
        _ => "",
    };

    private string? AssemblyOf(TypeReferenceHandle handle)
    {
        EntityHandle scope = _reader.GetTypeReference(handle).ResolutionScope;
        return scope.Kind switch
        {
            HandleKind.TypeReference => AssemblyOf((TypeReferenceHandle)scope),
            HandleKind.AssemblyReference =>
                _reader.GetString(_reader.GetAssemblyReference((AssemblyReferenceHandle)scope).Name),
            _ => null,
        };
    }

    /// <summary>The target's type that a handle stands for, with its type arguments, or null.</summary>
    private (string Name, ImmutableArray<string> Arguments)? OwnerIn(AssemblySurface target, EntityHandle handle)
    {
        if (handle.IsNil)
            return null;
        if (handle.Kind == HandleKind.TypeReference)
        {
            var reference = (TypeReferenceHandle)handle;
            return AssemblyOf(reference) == target.Name ? (SignatureNames.NameOf(_reader, reference), []) : null;
        }

        if (handle.Kind != HandleKind.TypeSpecification)
            return null;
        TypeSpecification specification = _reader.GetTypeSpecification((TypeSpecificationHandle)handle);
        BlobReader blob = _reader.GetBlobReader(specification.Signature);
        if (blob.ReadSignatureTypeCode() != SignatureTypeCode.GenericTypeInstance)
            return null;
        _ = blob.ReadSignatureTypeCode();
        EntityHandle generic = blob.ReadTypeHandle();
        if (OwnerIn(target, generic) is not { } owner)
            return null;
        var spy = new SignatureNames();
        _ = specification.DecodeSignature(spy, null);
        return (owner.Name, spy.LastArguments);
    }

    /// <summary>The first type of the target among a type's bases, or null.</summary>
    private (string Name, ImmutableArray<string> Arguments)? StandInBase(AssemblySurface target, TypeDefinition type)
    {
        if (OwnerIn(target, type.BaseType) is { } found)
            return found;
        return OwnBase(type) is { } own ? StandInBase(target, own) : null;
    }

    private TypeDefinition? OwnBase(TypeDefinition type) => type.BaseType switch
    {
        { IsNil: true } => null,
        { Kind: HandleKind.TypeDefinition } handle => _reader.GetTypeDefinition((TypeDefinitionHandle)handle),
        { Kind: HandleKind.TypeSpecification } handle when _types.TryGetValue(
            _reader.GetTypeSpecification((TypeSpecificationHandle)handle).DecodeSignature(_names, null).Split('<')[0],
            out TypeDefinitionHandle own) => _reader.GetTypeDefinition(own),
        _ => null,
    };

    private bool OwnBasesHave(TypeDefinition type, string method)
    {
        for (TypeDefinition? own = OwnBase(type); own is not null; own = OwnBase(own.Value))
        {
            if (MethodsOf(own.Value).Any(candidate => candidate.Text == method))
                return true;
        }

        return false;
    }

    private IEnumerable<(MethodDefinition Method, string Text)> MethodsOf(TypeDefinition type) =>
        from handle in type.GetMethods()
        let method = _reader.GetMethodDefinition(handle)
        select (method, MethodText(_reader.GetString(method.Name), method.DecodeSignature(_names, null)));

    /// <summary>What is wrong with a member, or null; a member may be declared by a base type.</summary>
    private string? FindMember(string typeName, string text, string from)
    {
        if (!_types.TryGetValue(typeName, out TypeDefinitionHandle handle))
            return "missing with its type";
        for (TypeDefinition? type = _reader.GetTypeDefinition(handle); type is not null; type = OwnBase(type.Value))
        {
            foreach ((MethodDefinition method, string candidate) in MethodsOf(type.Value))
            {
                if (candidate == text)
                    return CanSee((int)(method.Attributes & MethodAttributes.MemberAccessMask), from);
            }

            foreach (FieldDefinition field in type.Value.GetFields().Select(_reader.GetFieldDefinition))
            {
                if (FieldText(_reader.GetString(field.Name), field.DecodeSignature(_names, null)) == text)
                    return CanSee((int)(field.Attributes & FieldAttributes.FieldAccessMask), from);
            }
        }

        return "missing";
    }

    // Fields and methods number their access alike: 3 assembly, 4 family, 5 family or assembly, 6 public.
    private string? CanSee(int access, string from) =>
        access >= 4 || (access == 3 && Friends.Contains(from)) ? null : "not visible";

    private bool CanSeeType(string name, string from)
    {
        TypeDefinition type = _reader.GetTypeDefinition(_types[name]);
        return (type.Attributes & TypeAttributes.VisibilityMask)
            is TypeAttributes.Public or TypeAttributes.NestedPublic
            or TypeAttributes.NestedFamily or TypeAttributes.NestedFamORAssem
            || Friends.Contains(from);
    }

    private bool HasVirtual((string Name, ImmutableArray<string> Arguments) @base, string text)
    {
        if (!_types.TryGetValue(@base.Name, out TypeDefinitionHandle handle))
            return false;
        for (TypeDefinition? type = _reader.GetTypeDefinition(handle); type is not null; type = OwnBase(type.Value))
        {
            if (MethodsOf(type.Value).Any(candidate =>
                Substitute(candidate.Text, @base.Arguments) == text
                && (candidate.Method.Attributes & (MethodAttributes.Virtual | MethodAttributes.Final))
                    == MethodAttributes.Virtual))
                return true;
        }

        return false;
    }

    /// <summary>Writes signatures as text.</summary>
    private sealed class SignatureNames : ISignatureTypeProvider<string, object?>
    {
        /// <summary>The arguments of the generic type decoded last, which is the outermost.</summary>
        internal ImmutableArray<string> LastArguments { get; private set; } = [];

        public string GetArrayType(string elementType, ArrayShape shape) => $"{elementType}[{shape.Rank}]";

        public string GetByReferenceType(string elementType) => $"{elementType}&";

        public string GetFunctionPointerType(MethodSignature<string> signature) =>
            $"fn {MethodText("*", signature)}";

        public string GetGenericInstantiation(string genericType, ImmutableArray<string> typeArguments)
        {
            LastArguments = typeArguments;
            return $"{genericType}<{string.Join(", ", typeArguments)}>";
        }

        public string GetGenericMethodParameter(object? genericContext, int index) => $"!!{index}";

        public string GetGenericTypeParameter(object? genericContext, int index) => $"!{index}";

        public string GetModifiedType(string modifier, string unmodifiedType, bool isRequired) =>
            $"{unmodifiedType} {(isRequired ? "modreq" : "modopt")}({modifier})";

        public string GetPinnedType(string elementType) => elementType;

        public string GetPointerType(string elementType) => $"{elementType}*";

        public string GetPrimitiveType(PrimitiveTypeCode typeCode) => typeCode switch
        {
            PrimitiveTypeCode.Boolean => "bool",
            PrimitiveTypeCode.Int32 => "int",
            PrimitiveTypeCode.String => "string",
            PrimitiveTypeCode.Object => "object",
            PrimitiveTypeCode.Void => "void",
            _ => typeCode.ToString(),
        };

        public string GetSZArrayType(string elementType) => $"{elementType}[]";

        public string GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind) =>
            NameOf(reader, handle);

        public string GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind) =>
            NameOf(reader, handle);

        public string GetTypeFromSpecification(
            MetadataReader reader, object? genericContext, TypeSpecificationHandle handle, byte rawTypeKind) =>
            reader.GetTypeSpecification(handle).DecodeSignature(this, genericContext);

        internal static string NameOf(MetadataReader reader, TypeReferenceHandle handle)
        {
            TypeReference type = reader.GetTypeReference(handle);
            return type.ResolutionScope.Kind == HandleKind.TypeReference
                ? $"{NameOf(reader, (TypeReferenceHandle)type.ResolutionScope)}+{reader.GetString(type.Name)}"
                : Join(reader.GetString(type.Namespace), reader.GetString(type.Name));
        }

        internal static string NameOf(MetadataReader reader, TypeDefinitionHandle handle)
        {
            TypeDefinition type = reader.GetTypeDefinition(handle);
            TypeDefinitionHandle outer = type.GetDeclaringType();
            return outer.IsNil
                ? Join(reader.GetString(type.Namespace), reader.GetString(type.Name))
                : $"{NameOf(reader, outer)}+{reader.GetString(type.Name)}";
        }

        private static string Join(string space, string name) => space.Length == 0 ? name : $"{space}.{name}";
    }
}
